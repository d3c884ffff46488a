/** `recollect replay` */
import type { ReplayReport, ReplayStep } from '../../store/replay.js';
import type { Projection, RecordedEvent } from '../../store.js';
import { Answers } from '../answers.js';
import { changeLines } from '../changes.js';
import { type Config, exportsOf, isModuleFile, membersOf } from '../config.js';
import type { Context } from '../context.js';
import { plain } from '../escape.js';
import { eventLine } from '../event-line.js';
import { DIFFERS, FINE, WrongUse } from '../exit-codes.js';
import { given } from '../input.js';
import { eventsWithin, firstOf } from '../moments.js';
import { type Chosen, chooseAmong, reading, tellOfDamage } from '../opening.js';
import { Pace } from '../pace.js';
import { tableLines } from '../table.js';
import { momentOf, shownDuration } from '../times.js';

interface ReplayOptions {
  readonly from?: string;
  readonly to?: string;
  readonly step?: boolean;
  readonly projection?: string;
  readonly speed?: number;
}

export async function replay(
  context: Context,
  [directory = '']: readonly string[],
  options: ReplayOptions,
): Promise<number> {
  const { speed, step, from, to } = options;
  if (speed !== undefined && !step) return await play(context, directory, options, speed);
  if (from !== undefined && !step) {
    throw new WrongUse('--from goes with --step or --speed: a fold begins at the first event');
  }
  const { projections, options: folding } = await chosen(context, directory, options);
  const { replayStore } = await import('../../store/replay.js');
  const steps = step ? await Steps.begin(context, directory, options) : undefined;
  try {
    const report = await replayStore(context.path(directory), {
      ...context.access,
      ...folding,
      projections,
      ...given({ to: to === undefined ? undefined : momentOf(to) }),
      compare: !step,
      ...(steps ? { onEvent: (each: ReplayStep) => steps.take(each) } : {}),
      ...(step ? {} : { onProgress: context.progress.report }),
      signal: context.signal,
    });
    context.progress.stop();
    tellOfDamage(context, report);
    if (!step) await print(context, report);
    return report.ok ? FINE : DIFFERS;
  } catch (error) {
    if (error instanceof Enough) return FINE;
    throw error;
  } finally {
    steps?.end();
  }
}

/** The projections of a file, the one of a name, or all. */
async function chosen(
  context: Context,
  directory: string,
  { projection }: ReplayOptions,
): Promise<Chosen> {
  if (projection === undefined || !isModuleFile(projection)) {
    return await chooseAmong(context, directory, { projection });
  }
  const { isProjection } = await import('../../store.js');
  const file = context.path(projection);
  const exported = await exportsOf(file);
  const members = membersOf(exported);
  const values = [...Object.values(exported), ...Object.values(members)].flat();
  const projections = values.filter((value): value is Projection => isProjection(value));
  if (projections.length === 0) {
    throw new WrongUse(`${plain(file)} exports no projection: make one with defineProjection`);
  }
  const { events, upcasters } = members as Config;
  return { projections: [...new Set(projections)], options: given({ events, upcasters }) };
}

async function print(context: Context, report: ReplayReport): Promise<void> {
  const { out, paint } = context;
  if (context.json) {
    await out.json(report);
    return;
  }
  const { position, time, commits, events, projections, elapsedMs } = report;
  await out.line(
    `${commits} commits, ${events} events up to position ${position} (${context.time(time)}) in ${shownDuration(elapsedMs)}`,
  );
  const rows = projections.map(({ name, version, keys, failed, different }) => [
    paint.name(`${name} v${version}`),
    `${keys} keys`,
    failed > 0 ? paint.bad(`${failed} failed`) : '0 failed',
    different > 0 ? paint.bad(`${different} different`) : '0 different',
  ]);
  for (const line of tableLines(rows)) await out.line(line);
  for (const { name, failures, differences } of projections) {
    for (const failure of failures) await out.line(paint.bad(failure.message));
    for (const { key, replayed, stored } of differences) {
      await out.line(paint.bad(`${name}: ${key ?? 'the whole projection'}`));
      await out.line(`    replayed ${context.brief(replayed, 13)}`);
      await out.line(`    stored   ${context.brief(stored, 13)}`);
    }
  }
  const isSame = projections.every(({ different }) => different === 0);
  await out.line(
    isSame ? paint.good('the store says the same') : paint.bad('the store says something else'),
  );
}

/** Events as they were written, at the pace at which they were written. */
async function play(
  context: Context,
  directory: string,
  options: ReplayOptions,
  speed: number,
): Promise<number> {
  const pace = new Pace(speed, context.signal);
  return await reading(context, directory, {}, async (store) => {
    for await (const event of eventsWithin(store, options)) {
      await context.out.flush();
      await pace.reach(event.time);
      await printEvent(context, event);
    }
    return FINE;
  });
}

async function printEvent(context: Context, event: RecordedEvent): Promise<void> {
  if (context.json) await context.out.ndjson(event);
  else await context.out.line(eventLine(context, event));
}

/** Whoever steps has seen enough. */
class Enough extends Error {}

/** One event after the other; on a terminal the next one waits for Enter. */
class Steps {
  readonly #context: Context;
  readonly #from: number;
  readonly #pace: Pace | undefined;
  readonly #answers: Answers | undefined;

  private constructor(context: Context, from: number, speed: number | undefined) {
    this.#context = context;
    this.#from = from;
    const { stdin } = context.io;
    this.#pace = speed === undefined ? undefined : new Pace(speed, context.signal);
    const asks = speed === undefined && stdin.isTTY === true && context.out.isTerminal;
    if (asks) this.#answers = new Answers(context.io);
  }

  static async begin(
    context: Context,
    directory: string,
    { from, speed }: ReplayOptions,
  ): Promise<Steps> {
    if (from === undefined) return new Steps(context, 1, speed);
    const first = await reading(context, directory, {}, (store) => firstOf(store, momentOf(from)));
    return new Steps(context, first, speed);
  }

  async take(step: ReplayStep): Promise<void> {
    const { event, projection, key, before, after, patches } = step;
    if (event.position < this.#from) return;
    const { out, paint, json } = this.#context;
    await this.#pace?.reach(event.time);
    if (json) await out.ndjson({ event, projection, key, before, after, patches });
    else {
      await out.line(eventLine(this.#context, event));
      await out.line(`  ${paint.name(projection)}  ${paint.name(key)}`);
      for (const line of changeLines(this.#context, before, patches)) {
        await out.line(`    ${line}`);
      }
    }
    if (!this.#answers) return;
    await out.flush();
    const answer = await this.#answers.ask('[Enter] next, q to end ');
    if (answer === undefined || /^q/i.test(answer)) throw new Enough();
  }

  end(): void {
    this.#answers?.end();
  }
}
