/** Transactions that are written down as they run, and what must be true of them when they are held against the log afterwards. */
import { isDeepStrictEqual } from 'node:util';
import {
  defineEvents,
  defineProjection,
  event,
  type Isolation,
  type RecordedEvent,
  type Store,
} from '#src/index.js';

export const events = defineEvents({ added: event<{ by: number; tags: readonly string[] }>() });

export const sums = defineProjection({
  name: 'sums',
  version: 1,
  events,
  initial: { n: 0 },
  on: {
    added: (draft, e) => {
      draft.n += e.data.by;
    },
  },
});

export const tags = defineProjection({
  name: 'tags',
  version: 1,
  events,
  initial: { n: 0 },
  key: (e) => e.data.tags,
  on: {
    added: (draft, e) => {
      draft.n += e.data.by;
    },
  },
});

const projections = { sums, tags };

export type Step =
  | { readonly kind: 'get'; readonly of: 'sums' | 'tags'; readonly key: string }
  | { readonly kind: 'entries'; readonly of: 'sums' | 'tags'; readonly prefix: string }
  | { readonly kind: 'version'; readonly stream: string }
  | { readonly kind: 'append'; readonly stream: string; readonly tags: readonly string[] };

export interface Plan {
  readonly isolation: Isolation;
  readonly steps: readonly Step[];
}

interface Write {
  readonly stream: string;
  readonly by: number;
  readonly tags: readonly string[];
}

interface Read {
  readonly step: Exclude<Step, { kind: 'append' }>;
  readonly result: unknown;
  /** What the transaction had appended before. */
  readonly own: readonly Write[];
}

interface Attempt {
  readonly position: number;
  readonly reads: Read[];
  readonly writes: Write[];
}

/** A transaction that ended well, with all its attempts; the last one is the one that counts. */
export interface Story {
  readonly id: number;
  readonly isolation: Isolation;
  readonly attempts: readonly Attempt[];
}

/** Runs the plan; `turn` is waited for before every step, and once after the last. */
export async function tell(
  store: Store<typeof events>,
  id: number,
  { isolation, steps }: Plan,
  turn: () => Promise<unknown>,
): Promise<Story> {
  const attempts: Attempt[] = [];
  const work = async (tx: Parameters<Parameters<typeof store.transaction>[0]>[0]) => {
    const attempt: Attempt = { position: tx.position, reads: [], writes: [] };
    attempts.push(attempt);
    for (const step of steps) {
      await turn();
      if (step.kind === 'append') {
        // What is written tells what was read, so that a lost update shows in the sums, too.
        const by = 1 + attempt.reads.length + 10 * id;
        tx.append(step.stream, {
          type: 'added',
          data: { by, tags: step.tags },
          metadata: { id },
        });
        attempt.writes.push({ stream: step.stream, by, tags: step.tags });
        continue;
      }
      const own = [...attempt.writes];
      let result: unknown;
      if (step.kind === 'get') result = (await tx.get(projections[step.of], step.key))?.n;
      else if (step.kind === 'version') result = await tx.version(step.stream);
      else {
        const { prefix } = step;
        const entries = await tx.entries(projections[step.of], { prefix }).toArray();
        result = entries.map(([key, { n }]) => [key, n]);
      }
      attempt.reads.push({ step, result, own });
    }
    await turn();
  };
  await store.transaction(work, { isolation, retries: 1000 });
  return { id, isolation, attempts };
}

/** What the step reads of these events: a plain fold. */
function modelled({ step }: Read, written: readonly Write[]): unknown {
  if (step.kind === 'version') return written.filter(({ stream }) => stream === step.stream).length;
  const found = new Map<string, number>();
  for (const { stream, by, tags: tagged } of written) {
    const keys = step.of === 'sums' ? [stream] : new Set(tagged);
    for (const key of keys) found.set(key, (found.get(key) ?? 0) + by);
  }
  if (step.kind === 'get') return found.get(step.key);
  const listed = [...found].filter(([key]) => key.startsWith(step.prefix));
  return listed.sort(([a], [b]) => (a < b ? -1 : 1));
}

class History {
  readonly #events: readonly RecordedEvent[];
  readonly head: number;

  constructor(recorded: readonly RecordedEvent[]) {
    this.#events = recorded;
    this.head = recorded.at(-1)?.position ?? 0;
  }

  /** What the log held as of the position. */
  upTo(position: number): Write[] {
    return this.#events
      .filter((recorded) => recorded.position <= position)
      .map(({ stream, data }) => ({ stream, ...(data as { by: number; tags: string[] }) }));
  }

  /** Positions of the commits of the transaction. */
  positionsOf(id: number): number[] {
    const own = this.#events.filter(({ metadata }) => (metadata as { id: number }).id === id);
    return [...new Set(own.map(({ position }) => position))];
  }

  holds(read: Read, position: number): boolean {
    return isDeepStrictEqual(modelled(read, [...this.upTo(position), ...read.own]), read.result);
  }
}

/** What is wrong with the stories, each held to its own isolation or to a stricter one. */
export function problemsOf(
  stories: readonly Story[],
  recorded: readonly RecordedEvent[],
  heldTo?: Isolation,
): string[] {
  const history = new History(recorded);
  return stories.flatMap((story) => {
    const isolation = heldTo ?? story.isolation;
    const problems = story.attempts.flatMap((attempt) =>
      isolation === 'read-committed'
        ? notCommitted(history, attempt)
        : notRepeatable(history, attempt),
    );
    problems.push(...notWritten(history, story));
    if (isolation === 'serializable') problems.push(...notSerial(history, story));
    return problems.map((problem) => `transaction ${story.id}: ${problem}`);
  });
}

const shown = ({ step, result }: Read) => `${JSON.stringify(step)} gave ${JSON.stringify(result)}`;

/** Every read is of one position, and sees the own writes. */
function notRepeatable(history: History, { position, reads }: Attempt): string[] {
  return reads
    .filter((read) => !history.holds(read, position))
    .map((read) => `not what stood at ${position}: ${shown(read)}`);
}

/** Every read is of some position, and none goes back behind the one before. */
function notCommitted(history: History, { position, reads }: Attempt): string[] {
  let from = position;
  const problems: string[] = [];
  for (const read of reads) {
    while (from <= history.head && !history.holds(read, from)) from += 1;
    if (from <= history.head) continue;
    problems.push(`never committed, or older than what was read before: ${shown(read)}`);
    from = position;
  }
  return problems;
}

/** What the last attempt wrote is in one commit, whole, and nothing of the others is anywhere. */
function notWritten(history: History, { id, attempts }: Story): string[] {
  const writes = attempts.at(-1)?.writes ?? [];
  const positions = history.positionsOf(id);
  if (positions.length !== (writes.length > 0 ? 1 : 0)) return [`${positions.length} commits`];
  const [position] = positions;
  if (position === undefined) return [];
  const before = history.upTo(position - 1).length;
  const stands = history.upTo(position).slice(before);
  const byStream = [...new Set(writes.map(({ stream }) => stream))].flatMap((stream) =>
    writes.filter((write) => write.stream === stream),
  );
  return isDeepStrictEqual(stands, byStream) ? [] : ['other events than were appended'];
}

/** Run alone, right before its commit, it would have read the same. */
function notSerial(history: History, { id, attempts }: Story): string[] {
  const last = attempts.at(-1);
  const [position] = history.positionsOf(id);
  if (!last || position === undefined) return [];
  return last.reads
    .filter((read) => !history.holds(read, position - 1))
    .map((read) => `changed before the commit at ${position}: ${shown(read)}`);
}
