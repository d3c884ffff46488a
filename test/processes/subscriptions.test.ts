/** Subscriptions over several processes: what each of them was given, beside the log as anybody reads it. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openStore, type Store } from '#src/index.js';
import { Program, stopped, until } from '../support/programs.js';
import { SeededRandom } from '../support/random.js';
import { seed, timeoutMs, times } from '../support/runs.js';
import type { Given, SubscribingReport, SubscribingTask } from '../support/subscribing.mjs';
import { temporaryDirectory } from '../support/temporary-directory.js';
import type { WritingTask } from '../support/writing-process.mjs';

const SEGMENT_BYTES = 64 * 1024;
/** More than this never comes again after a death (docs/SUBSCRIPTIONS.md). */
const REPEATED_MAX = 1000;

/** One process, and what it was given. */
class Reader {
  readonly given: Given[] = [];
  readonly program: Program;
  report: SubscribingReport | undefined;

  constructor(task: SubscribingTask) {
    this.program = new Program('./subscribing.mjs', { task });
    this.program.onLine((line) => {
      const report = JSON.parse(line) as SubscribingReport;
      if (report.kind === 'given') this.given.push(report);
      else this.report = report;
    });
  }

  async kill(): Promise<void> {
    this.program.kill('SIGKILL');
    await this.program.ended;
  }

  async stop(): Promise<void> {
    this.program.tell('stop');
    expect(await this.program.ended).toMatchObject({ code: 0, errors: '' });
    expect(this.report).toEqual({ kind: 'ended' });
  }
}

function write(directory: string, writer: string, calls: WritingTask['calls']): Program {
  const options = { segmentBytes: SEGMENT_BYTES };
  const task: WritingTask = { directory, writer, first: 1, again: [], callers: 2, calls, options };
  return new Program('./writing-process.mjs', { task });
}

/** Reads under one name, one process after the other, each killed after some events. */
class Relay {
  readonly runs: Reader[] = [];
  readonly #task: SubscribingTask;

  constructor(task: SubscribingTask) {
    this.#task = task;
  }

  get last(): Reader {
    return this.runs.at(-1) as Reader;
  }

  start(): Reader {
    this.runs.push(new Reader(this.#task));
    return this.last;
  }

  async run(kills: number, random: SeededRandom): Promise<void> {
    this.start();
    for (let kill = 0; kill < kills; kill += 1) {
      const events = 1 + random.below(120);
      await until(() => this.last.given.length >= events);
      await this.last.kill();
      this.start();
    }
  }

  /** What is wrong with what the runs were given, when these are all the events there are. */
  problems(expected: readonly string[]): string[] {
    const problems: string[] = [];
    let next = 0;
    for (const [run, { given }] of this.runs.entries()) {
      const [first] = given;
      if (!first) continue;
      const from = expected.indexOf(first.id);
      const ids = given.map(({ id }) => id).join();
      if (from < 0 || from > next)
        problems.push(`run ${run} begins at ${first.id}, not at ${next}`);
      if (from < next - REPEATED_MAX) problems.push(`run ${run} repeats ${next - from} events`);
      if (ids !== expected.slice(from, from + given.length).join()) {
        problems.push(`run ${run} is not a piece of the log`);
      }
      next = Math.max(next, from + given.length);
    }
    if (next !== expected.length) problems.push(`${next} of ${expected.length} events were given`);
    return problems;
  }
}

/** The ids of all events that a subscription with these streams is for. */
async function expectedIds(store: Store, streams: readonly string[] | undefined) {
  const events = await store.readAll(streams ? { streams } : {}).toArray();
  return events.filter(({ stream }) => !stream.startsWith('$')).map(({ id }) => id);
}

describe('readers in processes of their own', () => {
  test('miss nothing, whoever is killed: writers, fast readers, slow ones, with filters and without', {
    timeout: timeoutMs,
  }, async () => {
    const random = new SeededRandom(seed);
    const directory = join(temporaryDirectory(), 'store');
    const options = { segmentBytes: SEGMENT_BYTES };
    await (await openStore(directory, options)).close();
    const tasks: SubscribingTask[] = [
      { directory, options, subscribe: { name: 'all' } },
      {
        directory,
        options,
        subscribe: { name: 'notes', streams: ['notes/*', 'none'] },
        restEvery: 40,
        restMs: 20,
        checkpointEvery: 70,
      },
      {
        directory,
        options: { ...options, readOnly: true },
        subscribe: { streams: ['counters/*'] },
      },
    ];
    const relays = tasks.map((task) => new Relay(task));
    const kills = times(3);
    const reading = Promise.all(
      relays.map((relay, index) => relay.run(index === 2 ? 0 : kills, random)),
    );
    const steady = write(directory, 'steady', 'mixed');
    for (let killed = 0; killed < times(1); killed += 1) {
      const writer = write(directory, `killed-${killed}`, killed % 2 === 0 ? 'async' : 'sync');
      await writer.line('"number":40,');
      writer.kill('SIGKILL');
      await writer.ended;
    }
    await reading;
    steady.tell('stop');
    await steady.ended;

    const store = await openStore(directory, options);
    for (const [index, relay] of relays.entries()) {
      const expected = await expectedIds(store, tasks[index]?.subscribe?.streams);
      await until(() => relay.last.given.at(-1)?.id === expected.at(-1));
      await relay.last.stop();
      expect(relay.problems(expected), tasks[index]?.subscribe?.name).toEqual([]);
      // Else it was not tried.
      expect(relay.runs.filter(({ given }) => given.length > 0)).toHaveLength(
        index === 2 ? 1 : kills + 1,
      );
    }
    expect((await store.verify()).ok).toBe(true);
    expect(store.stats().segments).toBeGreaterThan(2);
    await store.close();
  });

  test('have a name one after the other: who is stopped keeps it, who is killed does not', {
    timeout: 60_000,
  }, async () => {
    const directory = join(temporaryDirectory(), 'store');
    const store = await openStore(directory);
    for (let n = 1; n <= 3; n += 1) await store.append('notes/a', { type: 'taken', data: n });
    const task = { directory, subscribe: { name: 'n' } };
    const crowd = [new Reader(task), new Reader(task), new Reader(task)];
    const has = ({ given }: Reader) => given.length === 3;
    const lost = ({ report }: Reader) => report !== undefined;
    await until(() => crowd.some(has) && crowd.filter(lost).length === 2);
    const holder = crowd.find(has) as Reader;
    const { pid } = holder.program;
    const refused = { kind: 'failed', code: 'SUBSCRIPTION_IN_USE', pid };
    for (const reader of crowd) if (reader !== holder) expect(reader.report).toEqual(refused);

    holder.program.kill('SIGSTOP');
    await stopped(pid);
    const late = new Reader(task);
    await late.program.ended;
    expect(late.report).toEqual(refused);
    await expect(store.subscribe({ name: 'n' }).next()).rejects.toMatchObject({ pid });
    expect(late.given).toEqual([]);

    await holder.kill();
    await store.append('notes/a', { type: 'taken', data: 4 });
    const heir = new Reader(task);
    await until(() => heir.given.at(-1)?.version === 4);
    await heir.stop();
    await store.close();
  });
});
