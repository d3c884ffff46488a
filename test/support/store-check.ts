/**
 * Whether a store is as it must be after whatever happened: it opens without help, holds what the ledger says, fits
 * docs/FORMAT.md byte for byte, takes the next commits, and stays so.
 */
import { StoreNotFoundError } from '#src/errors.js';
import type { Log } from '#src/log/log.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { keepNewest, keepOldest } from './chooser.js';
import { type CommitPlan, commitsOf, type Ledger } from './ledger.js';
import type { SimulatedDisk } from './simulated-disk.js';
import { problemsOfBytes } from './stored-bytes.js';
import { appendOnSync, DIRECTORY, environmentOn, QUEUE_BYTES, randomOn, turn } from './story.js';

export interface CheckOptions {
  readonly seed: number;
  /** Power was lost under a store of this durability. Default `'sync'`, under which nothing may be lost. */
  readonly lost?: 'sync' | 'os';
  /** Options of the story, for a store that does not exist yet. */
  readonly segmentBytes?: number | undefined;
  /** Look at it through a read-only opening first. */
  readonly readFirst?: boolean;
}

function open(disk: SimulatedDisk, options: CheckOptions, name: string): Log {
  const random = randomOn(disk, options.seed + 1);
  const { segmentBytes = 4096 } = options;
  return openLogOnSync(environmentOn(disk.process(name), disk, random), DIRECTORY, {
    segmentBytes,
    readOnly: name === 'reader',
    lockTimeoutMs: 20,
    queueBytes: QUEUE_BYTES,
  });
}

/** A read-only opening changes nothing, and what it shows must stay. */
function problemsOfReading(disk: SimulatedDisk, ledger: Ledger, options: CheckOptions): string[] {
  const problems: string[] = [];
  const before = disk.fingerprint();
  let log: Log | undefined;
  try {
    log = open(disk, options, 'reader');
    const { state, problem } = log.recovery;
    if (state !== 'clean' && state !== 'torn')
      problems.push(`a reader finds it ${state}: ${problem}`);
    const commits = commitsOf(log.readAllSync().toArray());
    if (options.lost !== 'os') {
      problems.push(...ledger.problemsOf(commits));
      ledger.served(commits);
    }
  } catch (error) {
    if (!(error instanceof StoreNotFoundError && ledger.head === 0)) problems.push(failed(error));
  } finally {
    log?.closeSync();
  }
  if (disk.fingerprint() !== before) problems.push('a reader changed something');
  return problems;
}

/** Everything that is wrong with the store on this disk. The disk and the ledger are used up. */
export async function problemsOfStore(
  disk: SimulatedDisk,
  ledger: Ledger,
  options: CheckOptions,
): Promise<string[]> {
  const problems: string[] = [];
  try {
    if (options.readFirst) problems.push(...problemsOfReading(disk, ledger, options));
    const known = await problemsOfOpening(disk, ledger, options, problems);
    if (problems.length > 0) return problems;
    // What an opening for writing found, and what was appended to it, is there for good. Every other time is often enough to see that.
    if (options.seed % 2 === 1) return problems;
    const choose = options.seed % 4 === 0 ? keepOldest : keepNewest;
    await problemsOfOpening(disk.powerLoss(choose), known, { ...options, lost: 'sync' }, problems);
  } catch (error) {
    problems.push(failed(error));
  }
  return problems;
}

async function problemsOfOpening(
  disk: SimulatedDisk,
  before: Ledger,
  options: CheckOptions,
  problems: string[],
): Promise<Ledger> {
  let ledger = before;
  const log = open(disk, options, 'checker');
  const { state, problem } = log.recovery;
  if (state !== 'clean' && state !== 'repaired') problems.push(`it is ${state}: ${problem}`);
  const events = log.readAllSync().toArray();
  const commits = commitsOf(events);
  if (options.lost === 'os') {
    const after = ledger.afterLosing(commits);
    ledger = after.ledger;
    problems.push(...after.problems);
  }
  problems.push(...ledger.problemsOf(commits));
  ledger.settle(commits);
  const head = commits.at(-1)?.position ?? 0;
  if (log.head.position !== head) problems.push(`its head is ${log.head.position}, not ${head}`);
  for (const stream of new Set(events.map((event) => event.stream))) {
    const version = events.findLast((event) => event.stream === stream)?.version;
    if (log.versionSync(stream) !== version)
      problems.push(`${stream} is not at version ${version}`);
  }
  for (let count = 1; count <= 2; count += 1) {
    const plan: CommitPlan = {
      content: ledger.newContent(),
      parts: [{ stream: 'check/1', events: count, expectedVersion: log.versionSync('check/1') }],
    };
    const attempt = ledger.begin(plan);
    const answer = appendOnSync(log, plan);
    ledger.acknowledged(attempt, answer);
    if (answer.position !== head + count)
      problems.push(`the next commit stands at ${answer.position}`);
  }
  const report = log.verifySync();
  if (!report.ok) problems.push(`verify finds ${JSON.stringify(report.damage)}`);
  if (report.commits !== head + 2) problems.push(`verify counts ${report.commits} commits`);
  problems.push(...ledger.problemsOf(commitsOf(log.readAllSync().toArray())));
  log.closeSync();
  // An index that was being written is given up meanwhile.
  await turn();
  const { openFiles } = disk.process('checker');
  if (openFiles.length > 0) problems.push(`it leaves files open: ${openFiles.join(', ')}`);
  problems.push(...problemsOfBytes(disk, DIRECTORY));
  return ledger;
}

function failed(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.stack}` : String(error);
}
