/** Stores in real files at every stage of what is done with their old segments, and what any whole copy of them must answer. */
import { createWriteStream, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  defineProjection,
  exportStore,
  HistoryPrunedError,
  openStore,
  type Store,
  type StoreOptions,
} from '#src/index.js';
import { temporaryDirectory } from './temporary-directory.js';

export const COMMITS = 90;
const DAY_MS = 86_400_000;
/** Ten commits a day. */
const STEP_MS = DAY_MS / 10;
const BEGIN = Date.UTC(2026, 0, 1);

/** Of each stream. */
export const total = defineProjection({
  name: 'total',
  version: 1,
  initial: () => ({ n: 0 }),
  on: {
    noted: (draft, event) => {
      draft.n += (event.data as { number: number }).number;
    },
  },
});

export const reading: StoreOptions = { readOnly: true, projections: [total] };

export interface AgedStore {
  readonly root: string;
  readonly directory: string;
  readonly store: Store;
  beside(name: string): string;
  append(commits: number): Promise<void>;
}

/** @param retentionDays - how long `compact()` keeps what is archived; default: for ever */
export async function agedStore(retentionDays?: number): Promise<AgedStore> {
  const root = temporaryDirectory();
  const directory = join(root, 'store');
  return await agedStoreAt(root, directory, BEGIN, retentionDays);
}

/** Opens, or makes, an aged store that goes on at that time. */
export async function agedStoreAt(
  root: string,
  directory: string,
  time: number,
  retentionDays?: number,
): Promise<AgedStore> {
  let now = time;
  const store = await openStore(directory, {
    segmentBytes: 4096,
    durability: 'os',
    compaction: false,
    clock: () => now,
    projections: [total],
    ...(retentionDays === undefined ? {} : { retention: { days: retentionDays } }),
  });
  const append = async (commits: number): Promise<void> => {
    for (let count = 0; count < commits; count += 1) {
      const number = store.head.position + 1;
      const data = { number, text: 'x'.repeat(200) };
      const idempotencyKey = `key-${number}`;
      await store.append(`notes/${number % 3}`, { type: 'noted', data }, { idempotencyKey });
      now += STEP_MS;
    }
  };
  return { root, directory, store, append, beside: (name) => join(root, name) };
}

/** The time of the commit at that position of an aged store. */
export function timeOf(position: number): Date {
  return new Date(BEGIN + (position - 1) * STEP_MS);
}

/** Names of the segments that stand in the log, in the archive, and of what is left of those that were dropped. */
export function placesOf(directory: string): { log: string[]; archive: string[] } {
  const list = (name: string): string[] => {
    try {
      return readdirSync(join(directory, name)).sort();
    } catch {
      return [];
    }
  };
  return { log: list('log'), archive: list('archive') };
}

type Answer = { readonly gives: unknown } | { readonly prunedBefore: number };

async function answerOf(question: () => Promise<unknown>): Promise<Answer> {
  try {
    return { gives: await question() };
  } catch (error) {
    if (!(error instanceof HistoryPrunedError)) throw error;
    return { prunedBefore: error.firstPosition };
  }
}

/** What every read of a store gives up to a position, or that it was dropped. */
export async function answersOf(store: Store, to: number): Promise<Record<string, Answer>> {
  const middle = Math.ceil(to / 2);
  const questions: Record<string, () => Promise<unknown>> = {
    all: () => store.readAll({ to }).toArray(),
    late: () => store.readAll({ from: middle, to }).toArray(),
    backward: () => store.readAll({ to, direction: 'backward', limit: 20 }).toArray(),
    version: () => store.at(to).version('notes/1'),
    entries: () => store.at(to).entries(total).toArray(),
    past: () => store.at(middle).get(total, 'notes/1'),
    beginning: () => store.at(3).get(total, 'notes/1'),
    first: () => store.readStream('notes/2', { limit: 1 }).toArray(),
    history: () => store.history(total, 'notes/1', { to }).toArray(),
    moment: () => store.at(timeOf(middle)).get(total, 'notes/2'),
  };
  const answers: Record<string, Answer> = {};
  for (const [name, question] of Object.entries(questions))
    answers[name] = await answerOf(question);
  return answers;
}

/** The lines of an export. */
export async function exported(source: string, file: string): Promise<Buffer> {
  await exportStore(source, createWriteStream(file), { format: 'ndjson' });
  return readFileSync(file);
}
