/** A writer of a storm through all its lives: what it was told, and what its replacement sends once more. */
import type { LogOptions } from '#src/index.js';
import { Program } from './programs.js';
import type { SeededRandom } from './random.js';
import type { Heard } from './storm-check.js';
import { stormCommit } from './storm-plan.mjs';
import type { WritingReport, WritingTask } from './writing-process.mjs';

/** Where and how it writes. */
export interface StormWriting {
  readonly directory: string;
  readonly options?: LogOptions;
  /** Codes of errors that may come: what they refuse must not stand. */
  readonly tolerated?: readonly string[];
  /** Between two calls, ms. */
  readonly pauseMs?: number;
}

const CALLS = ['mixed', 'async', 'mixed', 'sync'] as const;
/** Small enough that segments change every few dozen commits. */
const SEGMENT_BYTES = 64 * 1024;

export class StormWriter {
  readonly name: string;
  readonly #storm: StormWriting;
  readonly #place: number;
  readonly #heard: Heard[];
  readonly #random: SeededRandom;
  program: Program | undefined;
  opened = false;
  /** It was killed, and its replacement has not begun. */
  dying = false;
  #acknowledged: number[] = [];
  #next = 1;

  constructor(storm: StormWriting, place: number, heard: Heard[], random: SeededRandom) {
    this.#storm = storm;
    this.#place = place;
    this.name = `writer-${place + 1}`;
    this.#heard = heard;
    this.#random = random;
  }

  start(onReport: (report: WritingReport) => void): void {
    const { directory, options, tolerated, pauseMs } = this.#storm;
    const again = this.#again();
    const task: WritingTask = {
      directory,
      writer: this.name,
      first: this.#next,
      again,
      callers: this.#random.pick([1, 4, 16]),
      calls: CALLS[this.#place % CALLS.length] ?? 'mixed',
      options: {
        actor: this.name,
        segmentBytes: SEGMENT_BYTES,
        lockTimeoutMs: 60_000,
        writerThread: this.#place % 3 !== 2,
        ...options,
      },
      ...(tolerated ? { tolerated: [...tolerated] } : {}),
      ...(pauseMs === undefined ? {} : { pauseMs }),
    };
    this.opened = false;
    this.dying = false;
    this.program = new Program('./writing-process.mjs', { task });
    this.program.onLine((line) => {
      const report = JSON.parse(line) as WritingReport;
      this.#heard.push({ writer: this.name, report });
      if (report.kind === 'opened') this.opened = true;
      if (report.kind === 'acknowledged' || report.kind === 'refused' || report.kind === 'failed') {
        this.#next = Math.max(this.#next, report.number + 1);
      }
      if (report.kind === 'acknowledged') this.#acknowledged.push(report.number);
      onReport(report);
    });
  }

  /** Whatever had a key and is without an answer, and some of what has one already: that must be told the first answer. */
  #again(): number[] {
    const done = new Set(this.#acknowledged);
    const isKeyed = (number: number) => stormCommit(this.name, number).idempotencyKey !== undefined;
    const all = Array.from({ length: this.#next }, (_, index) => index + 1);
    // Beyond the last number that was heard of, the dead process may have begun as many as it had callers.
    const open = Array.from({ length: 16 }, (_, index) => this.#next + index);
    const unfinished = [...all, ...open].filter((number) => !done.has(number));
    this.#next += 17;
    const keyed = unfinished.filter(isKeyed);
    const answered = this.#acknowledged.filter(isKeyed).filter(() => this.#random.chance(0.05));
    return [...keyed.slice(-100), ...answered];
  }
}
