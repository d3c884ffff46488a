/**
 * A storm: several processes write to one directory, some are killed at random moments and replaced, others are stopped for a
 * while, and others read all the while. What comes of it is compared with what the writers were told.
 */

import { createHash } from 'node:crypto';
import {
  type Log,
  type LogOptions,
  openLog,
  RecollectError,
  type RecordedEvent,
  type VerifyReport,
} from '#src/index.js';
import { digestOf } from './event-order.mjs';
import { Program } from './programs.js';
import { SeededRandom } from './random.js';
import type { ReadingKind, ReadingReport, ReadingTask } from './reading-process.mjs';
import { type Heard, stormProblems } from './storm-check.js';
import { StormWriter } from './storm-writer.js';
import type { WritingReport } from './writing-process.mjs';

export interface StormOptions {
  readonly directory: string;
  readonly writers: number;
  /** It ends when so many commits were acknowledged and so many processes killed. */
  readonly commits: number;
  readonly kills: number;
  /** Also stops writers by SIGSTOP now and then, and lets them go on a little later. */
  readonly stops?: boolean;
  readonly readers: readonly ReadingKind[];
  readonly seed: number;
  readonly options?: LogOptions;
  /** Codes of errors that may come: what they refuse must not stand. */
  readonly tolerated?: readonly string[];
}

export interface StormReport {
  readonly problems: string[];
  readonly acknowledged: number;
  readonly repeated: number;
  readonly refused: number;
  readonly tolerated: number;
  readonly killed: number;
  /** Of those, how many before they had opened the log. */
  readonly killedWhileOpening: number;
  readonly stopped: number;
  readonly repairs: number;
  readonly segments: number;
  readonly verified: VerifyReport;
}

/** @returns what came of it; the directory is left for the test to look at */
export async function storm(plan: StormOptions): Promise<StormReport> {
  const random = new SeededRandom(plan.seed);
  const heard: Heard[] = [];
  const problems: string[] = [];
  const readers: { kind: ReadingKind; program: Program; reports: ReadingReport[] }[] = [];
  let acknowledged = 0;
  let killed = 0;
  let killedWhileOpening = 0;
  let stopped = 0;
  let stopping = false;
  const pauses = new Set<Promise<void>>();

  // Each death comes after so many acknowledgements of anybody, or so many milliseconds after a start.
  let untilKill = 50 + random.below(200);
  const writers = Array.from(
    { length: plan.writers },
    (_, place) => new StormWriter(plan, place, heard, random),
  );
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });

  const kill = (writer: StormWriter): void => {
    const { program } = writer;
    if (!program?.running || writer.dying || stopping || killed >= plan.kills) return;
    killed += 1;
    writer.dying = true;
    if (!writer.opened) killedWhileOpening += 1;
    program.kill('SIGKILL');
    void program.ended.then(({ errors }) => {
      if (errors !== '') problems.push(`${writer.name} printed: ${errors}`);
      if (!stopping) begin(writer);
    });
  };

  const begin = (writer: StormWriter): void => {
    writer.start((report) => {
      if (report.kind === 'failed' && !plan.tolerated?.includes(report.code)) {
        problems.push(`${writer.name}/${report.number} failed: ${report.code} ${report.message}`);
      }
      if (report.kind !== 'acknowledged') return;
      acknowledged += 1;
      untilKill -= 1;
      if (untilKill <= 0) {
        untilKill = 50 + random.below(Math.max(50, (1.6 * plan.commits) / Math.max(1, plan.kills)));
        kill(random.pick(writers));
        if (plan.stops && random.chance(0.5)) pause(random.pick(writers));
      }
      if (acknowledged >= plan.commits && killed >= plan.kills) finish();
    });
    const { program } = writer;
    void program?.ended.then(({ code, signal, errors }) => {
      if (signal === 'SIGKILL' || stopping) return;
      problems.push(`${writer.name} ended by ${signal ?? `code ${code}`}: ${errors}`);
      finish();
    });
    // Some die while they open the log.
    if (random.chance(0.25)) setTimeout(() => kill(writer), 20 + random.below(150));
  };

  const pause = (writer: StormWriter): void => {
    const { program } = writer;
    if (!program?.running || stopping) return;
    stopped += 1;
    program.kill('SIGSTOP');
    const over = new Promise<void>((resolve) => setTimeout(resolve, random.below(1500))).then(
      () => {
        program.kill('SIGCONT');
        pauses.delete(over);
      },
    );
    pauses.add(over);
  };

  const first = await openLog(plan.directory, plan.options);
  await first.close();
  for (const kind of plan.readers) {
    const task: ReadingTask = { directory: plan.directory, kind };
    const program = new Program('./reading-process.mjs', { task });
    const reports: ReadingReport[] = [];
    readers.push({ kind, program, reports });
    program.onLine((line) => {
      const report = JSON.parse(line) as ReadingReport;
      reports.push(report);
      if (report.kind === 'problem') problems.push(`a reader found: ${report.problem}`);
    });
  }
  for (const writer of writers) begin(writer);

  await finished;
  stopping = true;
  await Promise.all(pauses);
  for (const { program } of writers) {
    program?.tell('stop');
  }
  for (const { name, program } of writers) {
    const ending = await program?.ended;
    if (ending?.signal === 'SIGKILL') continue;
    if (ending?.code !== 0 || ending.errors !== '') {
      problems.push(`${name} ended by ${ending?.signal ?? ending?.code}: ${ending?.errors}`);
    }
  }

  const log = await openTolerantly(plan);
  const events = await log.readAll().toArray();
  const verified = await log.verify();
  const { segments } = log.stats();
  const { position } = log.head;
  await log.close();
  problems.push(...stormProblems(heard, events));
  if (events.at(-1)?.position !== position) problems.push('readAll ends before the head');
  if (verified.damage) problems.push(`verify found damage: ${JSON.stringify(verified.damage)}`);
  if (verified.commits !== position) problems.push(`verify counted ${verified.commits} commits`);

  for (const { kind, program, reports } of readers) {
    program.tell(String(position));
    const { code, signal, errors } = await program.ended;
    if (code !== 0 || errors !== '') {
      problems.push(`the reader (${kind}) ended by ${signal ?? code}: ${errors}`);
    }
    const last = reports.at(-1);
    if (last?.kind !== 'ended') problems.push(`the reader (${kind}) did not say its end`);
    else if (kind !== 'lines' && last.digest !== digestOfAll(events)) {
      problems.push(`the reader (${kind}) saw another log`);
    }
  }

  const count = (test: (report: WritingReport) => boolean) =>
    heard.filter(({ report }) => test(report)).length;
  return {
    problems: [...new Set(problems)],
    acknowledged,
    repeated: count((report) => report.kind === 'acknowledged' && report.repeated),
    refused: count((report) => report.kind === 'refused'),
    tolerated: count((report) => report.kind === 'failed'),
    killed,
    killedWhileOpening,
    stopped,
    repairs: count((report) => report.kind === 'opened' && report.recovery === 'repaired'),
    segments,
    verified,
  };
}

async function openTolerantly({ directory, tolerated = [] }: StormOptions): Promise<Log> {
  for (;;) {
    try {
      return await openLog(directory);
    } catch (error) {
      if (!(error instanceof RecollectError) || !tolerated.includes(error.code)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function digestOfAll(events: readonly RecordedEvent[]): string {
  const digest = createHash('sha256');
  for (const event of events) digest.update(digestOf(event));
  return digest.digest('hex');
}
