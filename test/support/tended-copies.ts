/** What is wrong with what a process made of a store that others went on writing to: each gives the differences to what the store held. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  openStore,
  type RecordedEvent,
  type Store,
  type StoreReport,
  verifyStore,
} from '#src/index.js';
import type { FollowedLog } from './followed-log.js';
import type { SeededRandom } from './random.js';
import { counts } from './tending-process.mjs';

/** Looked at in each copy. */
const STREAMS = 3;

interface Copy {
  readonly directory: string;
  readonly log: FollowedLog;
  readonly random: SeededRandom;
}

/** A copy whose log was verified and whose events were compared up to a position; the caller looks at what is special in it. */
async function copyProblems(
  { directory, log, random }: Copy,
  lastOf: (report: StoreReport, store: Store) => Promise<number>,
): Promise<string[]> {
  const report = await verifyStore(directory, { deep: true });
  if (!report.ok) return [`it is damaged: ${JSON.stringify(report.damage)}`];
  const store = await openStore(directory, { readOnly: true, projections: [counts] });
  try {
    const last = await lastOf(report, store);
    await log.readOn();
    const from = report.firstPosition ?? 1;
    const problems = await log.difference(store.readAll({ from, to: last }), from, last);
    for (let look = 0; look < STREAMS && last > 0; look += 1) {
      const { stream } = random.pick(log.events.slice(0, log.end(last)));
      if (stream.startsWith('$')) continue;
      const state = await store.get(counts, stream);
      const expected = log.countOf(stream, last);
      if (!isDeepStrictEqual(state, expected)) {
        problems.push(`${stream} counts ${JSON.stringify(state)}, not ${JSON.stringify(expected)}`);
      }
    }
    return problems;
  } finally {
    await store.close();
  }
}

interface ManifestFacts {
  readonly position: number;
  readonly files: readonly { name: string; bytes: number; sha256: string }[];
}

/** @returns whether it holds all from the first commit on */
export async function backupProblems(copy: Copy): Promise<string[]> {
  const { directory } = copy;
  const path = join(directory, 'manifest.json');
  if (!existsSync(path)) return ['it has no manifest'];
  const { position, files } = JSON.parse(readFileSync(path, 'utf8')) as ManifestFacts;
  const problems: string[] = [];
  for (const { name, bytes, sha256 } of files) {
    const content = readFileSync(join(directory, name));
    const found = createHash('sha256').update(content).digest('hex');
    if (content.length !== bytes || found !== sha256) problems.push(`the manifest lies of ${name}`);
  }
  const named = new Set([...files.map(({ name }) => name), 'manifest.json', 'lock']);
  for (const name of filesIn(directory)) {
    if (!named.has(name)) problems.push(`the manifest does not name ${name}`);
  }
  const others = await copyProblems(copy, async ({ head }) => {
    if (head.position !== position) problems.push(`the manifest says ${position}`);
    return head.position;
  });
  return [...problems, ...others];
}

/** @param position - up to which it must go; `undefined`: whatever there was */
export async function restoreProblems(copy: Copy, position?: number): Promise<string[]> {
  const problems: string[] = [];
  const others = await copyProblems(copy, async ({ head }, store) => {
    const last = head.position - 1;
    const [origin] = await store.readAll({ from: head.position }).toArray();
    const told = origin?.data as { position?: number } | undefined;
    if (origin?.stream !== '$store/origin' || told?.position !== last) {
      problems.push(`its last commit does not say that it came from position ${last}`);
    }
    if (position !== undefined && last !== position) {
      problems.push(`it ends at ${last} instead of ${position}`);
    }
    return last;
  });
  if (problems.length > 0 || others.length > 0) return [...problems, ...others];
  return await goingOnProblems(copy.directory);
}

/** A store, not a picture of one: it takes the next commit. */
async function goingOnProblems(directory: string): Promise<string[]> {
  const store = await openStore(directory, { compaction: false });
  const { position: before } = store.head;
  const { position } = await store.append('after/1', { type: 'went.on', data: null });
  await store.close();
  const { ok } = await verifyStore(directory);
  return ok && position === before + 1 ? [] : ['it does not take another commit'];
}

export async function importProblems(copy: Copy, position: number): Promise<string[]> {
  const problems: string[] = [];
  if (existsSync(join(copy.directory, 'import.json'))) problems.push('import.json is left in it');
  const others = await copyProblems(copy, async ({ head }) => {
    if (head.position !== position) problems.push(`it ends at ${head.position}, not ${position}`);
    return head.position;
  });
  return [...problems, ...others];
}

/** @param position - the last that it said it had written; `undefined`: it was killed, and any beginning will do */
export async function exportProblems(
  file: string,
  log: FollowedLog,
  position: number | undefined,
): Promise<string[]> {
  if (!existsSync(file)) return position === undefined ? [] : ['there is no file'];
  const lines = readFileSync(file, 'utf8').split('\n');
  const rest = lines.pop();
  if (position !== undefined && rest !== '') return ['its last line has no end'];
  const events = lines.map((line) => JSON.parse(line) as RecordedEvent);
  await log.readOn();
  if (position !== undefined) return await log.difference(events, 1, position);
  const last = events.at(-1);
  if (last === undefined) return [];
  // The last commit may be there in part.
  const whole = events.filter((event) => event.position < last.position);
  return await log.difference(whole, 1, last.position - 1);
}

/** Names of all files below a directory, with `/` between their parts. */
export function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}
