/**
 * Several openers append to one log at once, with conditions and keys, synchronously and not, over segment changes: every
 * accepted commit stands exactly once, and one order explains every answer.
 *
 * Two drivers: real directories, where the threads of the writers decide what meets, and a disk in memory whose every
 * asynchronous call fast-check orders, so that a failure can be seen again.
 */
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Log, type LogOptions, openLog } from '#src/index.js';
import type { AsyncDiskCalls, Disk, DiskCalls } from '#src/log/disk.js';
import { realEnvironment } from '#src/log/environment.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { openLogOn } from '#src/log/open-log.js';
import type { ExpectedVersion, RecordedEvent } from '#src/log/types.js';
import { type Answer, History } from '../test/support/history.js';
import { type CommitPlan, commitsOf, partsOf } from '../test/support/ledger.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { temporaryDirectory } from '../test/support/temporary-directory.js';

const STREAMS = ['a/1', 'a/2', 'b/1', '__proto__'];
const KEYS = ['k1', 'k2', 'k3'];
/** Those that write; one more only reads. */
const WRITERS = 3;

type Direction = 'forward' | 'backward';

type Step =
  | { readonly kind: 'append' | 'append-sync'; readonly opener: number; readonly plan: CommitPlan }
  | { readonly kind: 'read' | 'read-sync'; readonly opener: number; readonly direction: Direction }
  | { readonly kind: 'version'; readonly opener: number; readonly stream: string }
  | {
      readonly kind: 'stream';
      readonly opener: number;
      readonly stream: string;
      readonly direction: Direction;
    }
  /** Lets others go on: some turns of the microtask queue, or until everything is answered. */
  | { readonly kind: 'wait'; readonly turns: number };

const expectedVersion: fc.Arbitrary<ExpectedVersion> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<ExpectedVersion>('any') },
  { weight: 1, arbitrary: fc.constantFrom<ExpectedVersion>('absent', 'exists', 0) },
  { weight: 3, arbitrary: fc.nat({ max: 12 }) },
);

interface Draft {
  readonly streams: readonly string[];
  readonly events: number;
  readonly versions: readonly ExpectedVersion[];
  readonly checked: number;
  readonly key: number | undefined;
  /** Content of a keyed commit: two callers may mean the same, or not. */
  readonly variant: number;
  readonly padding: number;
}

const draft: fc.Arbitrary<Draft> = fc.record({
  streams: fc.shuffledSubarray(STREAMS, { minLength: 1 }),
  events: fc.integer({ min: 1, max: 3 }),
  versions: fc.array(expectedVersion, { minLength: STREAMS.length, maxLength: STREAMS.length }),
  checked: fc.nat({ max: 2 }),
  key: fc.option(fc.nat({ max: KEYS.length - 1 }), { freq: 3, nil: undefined }),
  variant: fc.nat({ max: 1 }),
  padding: fc.constantFrom(0, 0, 300, 900),
});

/** The plan of a draft; the first streams are written, the next ones checked. */
function planOf(draft: Draft, number: number): CommitPlan {
  const written = Math.min(2, draft.streams.length);
  const conditions = draft.streams.map((stream, index) => ({
    stream,
    expectedVersion: draft.versions[index] as ExpectedVersion,
  }));
  const checks = conditions.slice(written, written + draft.checked);
  // Attempts with one content must be the same in everything that counts as content.
  if (draft.key !== undefined) {
    const content = 1000 + 10 * draft.key + draft.variant;
    const stream = STREAMS[draft.variant] as string;
    const expected = draft.versions[0] as ExpectedVersion;
    return {
      content,
      parts: [{ stream, events: 1, expectedVersion: expected }],
      checks: conditions.filter((check) => check.stream !== stream).slice(0, draft.checked),
      key: KEYS[draft.key] as string,
    };
  }
  const parts = conditions.slice(0, written).map((part) => ({ ...part, events: draft.events }));
  return { content: number, parts, checks, padding: draft.padding };
}

const writer = fc.nat({ max: WRITERS - 1 });
const reader = fc.nat({ max: WRITERS });
const direction = fc.constantFrom<Direction>('forward', 'backward');

const step: fc.Arbitrary<(number: number) => Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(writer, draft).map(
      ([opener, draft]) =>
        (number: number): Step => ({
          kind: 'append',
          opener,
          plan: planOf(draft, number),
        }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(writer, draft).map(
      ([opener, draft]) =>
        (number: number): Step => ({
          kind: 'append-sync',
          opener,
          plan: planOf(draft, number),
        }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(reader, direction, fc.constantFrom('read', 'read-sync')).map(
      ([opener, direction, kind]) =>
        (): Step => ({ kind, opener, direction }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(reader, fc.constantFrom(...STREAMS)).map(
      ([opener, stream]) =>
        (): Step => ({ kind: 'version', opener, stream }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(reader, direction, fc.constantFrom(...STREAMS)).map(
      ([opener, direction, stream]) =>
        (): Step => ({ kind: 'stream', opener, direction, stream }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(1, 3, 10, Number.POSITIVE_INFINITY)
      .map((turns) => (): Step => ({ kind: 'wait', turns })),
  },
);

const steps: fc.Arbitrary<readonly Step[]> = fc
  .array(step, { minLength: 5, maxLength: 60, size: 'max' })
  .map((makers) => makers.map((make, index) => make(index)));

const idempotencyWindow = fc.constantFrom(0, 1, 2, 100);

function inOrder(events: readonly RecordedEvent[], direction: Direction): RecordedEvent[] {
  return direction === 'forward' ? [...events] : [...events].reverse();
}

/** How many commits a reading of everything gave; -1 when they do not follow one another from the first. */
function readingOf(events: readonly RecordedEvent[], direction: Direction): Answer {
  const positions = commitsOf(inOrder(events, direction)).map(({ position }) => position);
  const isWhole = positions.every((position, index) => position === index + 1);
  return { kind: 'read', commits: isWhole ? positions.length : -1 };
}

/** Takes one step; gives the promise of its answer. */
function take(log: Log, step: Step, history: History): Promise<unknown> {
  if (step.kind === 'wait') return Promise.resolve();
  const plan = 'plan' in step ? step.plan : undefined;
  const answered = history.called(step.opener, plan);
  switch (step.kind) {
    case 'append':
    case 'append-sync': {
      const { checks, key: idempotencyKey } = step.plan;
      const commit = async () =>
        step.kind === 'append'
          ? await log.commit(partsOf(step.plan), { checks, idempotencyKey })
          : log.commitSync(partsOf(step.plan), { checks, idempotencyKey });
      return commit().then(
        (answer) => answered({ kind: 'durable', answer }),
        (error: unknown) => answered({ kind: 'refused', error }),
      );
    }
    case 'read':
      return log
        .readAll({ direction: step.direction })
        .toArray()
        .then((events) => answered(readingOf(events, step.direction)));
    case 'read-sync': {
      const events = log.readAllSync({ direction: step.direction }).toArray();
      answered(readingOf(events, step.direction));
      return Promise.resolve();
    }
    case 'stream': {
      const { stream, direction } = step;
      return log
        .readStream(stream, { direction })
        .toArray()
        .then((events) => {
          const versions = inOrder(events, direction).map((event) => event.version);
          const isWhole = versions.every((version, index) => version === index + 1);
          answered({ kind: 'version', stream, version: isWhole ? versions.length : -1 });
        });
    }
    case 'version': {
      const { stream } = step;
      return log.version(stream).then((version) => answered({ kind: 'version', stream, version }));
    }
  }
}

/** Takes all steps in order, and waits for what is still out. */
async function drive(
  logs: readonly Log[],
  steps: readonly Step[],
  history: History,
): Promise<void> {
  const out = new Set<Promise<unknown>>();
  for (const step of steps) {
    if (step.kind === 'wait') {
      if (step.turns === Number.POSITIVE_INFINITY) await Promise.all(out);
      else for (let turn = 0; turn < step.turns; turn += 1) await Promise.resolve();
      if (step.turns === 10) await new Promise((resolve) => setImmediate(resolve));
      continue;
    }
    const answer = take(logs[step.opener] as Log, step, history);
    out.add(answer);
    void answer.finally(() => out.delete(answer)).catch(() => {});
  }
  await Promise.all(out);
}

/** All openers, and one that opens it only now, read the same log, and it explains every answer. */
async function check(
  logs: readonly Log[],
  history: History,
  reopen: () => Promise<Log>,
): Promise<void> {
  const [first] = logs;
  const events = (await first?.readAll().toArray()) ?? [];
  expect(history.problems(events)).toEqual([]);
  for (const log of logs) {
    expect(await log.readAll().toArray()).toEqual(events);
    expect(log.readAllSync().toArray()).toEqual(events);
    expect(await log.verify()).toMatchObject({ ok: true });
    await log.close();
  }
  const again = await reopen();
  expect(await again.readAll().toArray()).toEqual(events);
  expect(again.recovery.state).toBe('clean');
  for (const stream of STREAMS) {
    const own = events.filter((event) => event.stream === stream);
    expect(await again.readStream(stream).toArray()).toEqual(own);
    expect(await again.version(stream)).toBe(own.length);
  }
  await again.close();
}

/** Collects what it follows from the start. */
class Follower {
  readonly #signal = AbortSignal.timeout(20_000);
  readonly #events: AsyncGenerator<RecordedEvent, void, undefined>;

  constructor(log: Log) {
    this.#events = log.follow({ signal: this.#signal });
  }

  /** So many events, or as many as came before it was given up. */
  async first(count: number): Promise<RecordedEvent[]> {
    const events: RecordedEvent[] = [];
    while (events.length < count) {
      const { value, done } = await this.#events.next();
      if (done) break;
      events.push(value);
    }
    await this.#events.return();
    return events;
  }
}

describe('several openers of one directory', () => {
  test.each([
    ['each with a writer thread', [true, true, true]],
    ['each on this thread', [false, false, false]],
    ['with and without a writer thread', [true, false, true]],
  ])('explain every answer by one order, %s', { timeout: timeoutMs }, async (_, threads) => {
    const root = temporaryDirectory();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(steps, idempotencyWindow, async (steps, idempotencyWindow) => {
        run += 1;
        const directory = join(root, String(run));
        const options = { idempotencyWindow, segmentBytes: 4096 };
        const logs: Log[] = [];
        for (const writerThread of threads) {
          logs.push(await openLog(directory, { ...options, writerThread }));
        }
        // A writer thread takes over once it is up; before, appends are written here.
        await new Promise((resolve) => setTimeout(resolve, threads.includes(true) ? 20 : 0));
        logs.push(await openLog(directory, { readOnly: true }));
        const followers = [0, WRITERS].map((index) => new Follower(logs[index] as Log));
        const history = new History(idempotencyWindow);
        try {
          await drive(logs, steps, history);
          const events = logs[0]?.readAllSync().toArray() ?? [];
          for (const follower of followers) {
            expect(await follower.first(events.length)).toEqual(events);
          }
          await check(logs, history, () => openLog(directory));
        } finally {
          for (const log of logs) await log.close();
        }
      }),
      { numRuns: times(12), seed, endOnFailure: true },
    );
  });
});

type Schedule = fc.Scheduler;

/** A disk in memory whose asynchronous calls are made when the scheduler says so. */
function scheduledDisk(memory: MemoryDisk, schedule: Schedule): Disk {
  const promises = new Proxy({} as AsyncDiskCalls, {
    get: (_, name: keyof DiskCalls) => {
      const call = memory[name] as (...parameters: unknown[]) => unknown;
      return async (...parameters: unknown[]) => {
        await schedule.schedule(Promise.resolve(), name);
        return call.apply(memory, parameters);
      };
    },
  });
  return new Proxy(memory as Disk, {
    get: (target, name) => {
      if (name === 'promises') return promises;
      const member = Reflect.get(target, name, target) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

describe('several openers of a log in memory, their calls in any order', () => {
  test('explain every answer by one order', { timeout: timeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        steps,
        idempotencyWindow,
        async (schedule, steps, idempotencyWindow) => {
          const memory = new MemoryDisk();
          const disk = scheduledDisk(memory, schedule);
          const options: LogOptions = { idempotencyWindow, segmentBytes: 4096 };
          const open = (on: Disk, options: LogOptions) =>
            openLogOn(realEnvironment(on), '/log', options);
          const history = new History(idempotencyWindow);
          const logs: Log[] = [];
          try {
            for (let number = 0; number <= WRITERS; number += 1) {
              const readOnly = number === WRITERS;
              logs.push(await schedule.waitFor(open(disk, { ...options, readOnly })));
            }
            const scripts = logs.map(async (log, number) => {
              const own = steps.filter((step) => step.kind === 'wait' || step.opener === number);
              for (const step of own) {
                await schedule.schedule(Promise.resolve(), `opener ${number}`);
                const answer = take(log, step, history);
                if (step.kind === 'wait') await answer;
                else answers.push(answer);
              }
            });
            const answers: Promise<unknown>[] = [];
            await schedule.waitFor(Promise.all(scripts));
            await schedule.waitFor(Promise.all(answers));
            await schedule.waitFor(check(logs, history, () => open(memory, options)));
          } finally {
            for (const log of logs) await schedule.waitFor(log.close());
          }
        },
      ),
      { numRuns: times(100), seed, endOnFailure: true },
    );
  });
});
