/**
 * A storm around a store: three processes append all the while, and beside them others make snapshots, compact, back up, restore, export and import. All
 * of them are killed at random moments. Whatever was made is compared with what the store held, and in the end the store with what its writers were told.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { HistoryPrunedError, openStore, verifyStore } from '#src/index.js';
import { FollowedLog } from './followed-log.js';
import { Program } from './programs.js';
import type { SeededRandom } from './random.js';
import { type Heard, stormProblems } from './storm-check.js';
import { StormWriter } from './storm-writer.js';
import {
  backupProblems,
  exportProblems,
  filesIn,
  importProblems,
  restoreProblems,
} from './tended-copies.js';
import { counts, type TendingReport, type TendingTask } from './tending-process.mjs';

export interface TendingPlan {
  /** An empty directory, in which everything is made. */
  readonly root: string;
  readonly random: SeededRandom;
  /** How often each kind of work is done. */
  readonly laps: number;
  /** From that lap on events are dropped. */
  readonly droppingFrom: number;
  /** Before each piece of work is let to its end, it is killed so often at most. */
  readonly killsMax: number;
  /** How long each writer waits between two calls, ms. */
  readonly pauseMs: number;
}

export interface TendingResult {
  readonly problems: string[];
  readonly acknowledged: number;
  /** Pieces of work that were let to their end. */
  readonly done: number;
  /** Processes killed at work, before they had said that they were done. */
  readonly killed: Record<string, number>;
  readonly writersKilled: number;
  /** Imports that went on where a killed one had come to. */
  readonly resumed: number;
  /** Segments that retention dropped. */
  readonly dropped: number;
  /** Questions about the past that were answered, and those of which it was said that the events were dropped. */
  readonly answered: number;
  readonly pruned: number;
}

const WRITERS = 3;
/** Pieces of work that go on at the same time. */
const LANES = 2;
const QUESTIONS = 4;
/** Of each kind, and one that is being made. */
const SNAPSHOTS_MAX = 3;

/** What is done: in this order at first, so that each finds what it needs. */
const WORKS = [
  'back up',
  'snapshot',
  'export',
  'compact',
  'back up since',
  'import',
  'restore the store',
  'restore a backup',
  'restore to a position',
  'restore to a time',
  'drop',
] as const;
type Work = (typeof WORKS)[number];
type Ended = Extract<TendingReport, { kind: 'ended' }>;

/** @returns what came of it; nothing is left in the directory when all was right */
export async function tendStore(plan: TendingPlan): Promise<TendingResult> {
  const tending = new Tending(plan, await FollowedLog.of(await made(join(plan.root, 'store'))));
  return await tending.run();
}

async function made(directory: string): Promise<string> {
  await (await openStore(directory, { projections: [counts] })).close();
  return directory;
}

class Tending {
  readonly #plan: TendingPlan;
  readonly #random: SeededRandom;
  readonly #store: string;
  readonly #log: FollowedLog;
  readonly #problems: string[] = [];
  readonly #heard: Heard[] = [];
  readonly #writers: StormWriter[];
  readonly #works: Work[] = [];
  /** Backups that were made, and of those the ones that hold everything from the first commit on. */
  readonly #backups: string[] = [];
  readonly #whole: { readonly path: string; readonly position: number }[] = [];
  readonly #files: { readonly path: string; readonly position: number }[] = [];
  readonly #killed: Record<string, number> = {};
  /** How long each kind of work took at most, ms. */
  readonly #longest = new Map<string, number>();
  #number = 0;
  #dropping = false;
  #stopping = false;
  #done = 0;
  #writersKilled = 0;
  #resumed = 0;
  #answered = 0;
  #pruned = 0;

  constructor(plan: TendingPlan, log: FollowedLog) {
    this.#plan = plan;
    this.#random = plan.random;
    this.#store = join(plan.root, 'store');
    this.#log = log;
    const writing = { directory: this.#store, pauseMs: plan.pauseMs };
    this.#writers = Array.from(
      { length: WRITERS },
      (_, place) => new StormWriter(writing, place, this.#heard, this.#random),
    );
    for (let lap = 0; lap < plan.laps; lap += 1) {
      const works = WORKS.filter((work) => work !== 'drop' || lap >= plan.droppingFrom);
      this.#works.push(...(lap === 0 ? works : shuffled(works, this.#random)));
    }
  }

  async run(): Promise<TendingResult> {
    for (const writer of this.#writers) this.#begin(writer);
    await Promise.all(this.#writers.map(({ program }) => program?.line('acknowledged')));
    const disturbing = this.#disturb();
    await Promise.all(Array.from({ length: LANES }, () => this.#lane()));
    this.#stopping = true;
    await disturbing;
    await this.#stopWriters();
    await this.#checkEnd();
    return {
      problems: [...new Set(this.#problems)],
      acknowledged: this.#heard.filter(({ report }) => report.kind === 'acknowledged').length,
      done: this.#done,
      killed: this.#killed,
      writersKilled: this.#writersKilled,
      resumed: this.#resumed,
      dropped: this.#drops.reduce((sum, { segments }) => sum + segments, 0),
      answered: this.#answered,
      pruned: this.#pruned,
    };
  }

  #begin(writer: StormWriter): void {
    writer.start((report) => {
      if (report.kind !== 'failed') return;
      this.#problems.push(`${writer.name}/${report.number}: ${report.code} ${report.message}`);
    });
  }

  /** Kills writers, and lets others take their place. */
  async #disturb(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 400 + this.#random.below(1600)));
      if (this.#stopping) return;
      const writer = this.#random.pick(this.#writers);
      writer.program?.kill('SIGKILL');
      const ending = await writer.program?.ended;
      if (ending?.signal !== 'SIGKILL' || ending.errors !== '') {
        this.#problems.push(`${writer.name} ended by ${ending?.code}: ${ending?.errors}`);
      }
      this.#writersKilled += 1;
      this.#begin(writer);
    }
  }

  async #stopWriters(): Promise<void> {
    for (const { program } of this.#writers) program?.tell('stop');
    for (const { name, program } of this.#writers) {
      const { code, errors } = (await program?.ended) ?? {};
      if (code !== 0 || errors !== '')
        this.#problems.push(`${name} ended by code ${code}: ${errors}`);
    }
  }

  async #lane(): Promise<void> {
    for (let work = this.#works.shift(); work; work = this.#works.shift()) {
      if (this.#problems.length > 0) return;
      await this.#carryOut(await this.#taskOf(work));
      await this.#look();
    }
  }

  async #taskOf(work: Work): Promise<TendingTask> {
    const { root } = this.#plan;
    const source = this.#store;
    this.#number += 1;
    const target = join(root, `made-${this.#number}`);
    const whole = this.#random.pick([...this.#whole, undefined].slice(0, this.#whole.length || 1));
    if (!whole && (work === 'drop' || work.endsWith('since') || work.endsWith('a backup'))) {
      return { kind: 'backup', source, target };
    }
    // Once its beginning is dropped, only what was copied before has one.
    const from = this.#dropping && whole ? whole.path : source;
    await this.#log.readOn();
    const known = this.#dropping && whole ? whole.position : this.#log.position;
    const event = this.#random.pick(this.#log.events.slice(0, this.#log.end(known)));
    switch (work) {
      case 'back up':
        return { kind: 'backup', source, target };
      case 'back up since':
        return { kind: 'backup', source, target, since: this.#random.pick(this.#backups) };
      case 'snapshot':
        return { kind: 'snapshot', source, target: '' };
      case 'compact':
        return { kind: 'compact', source, target: '' };
      case 'drop': {
        this.#dropping = true;
        // All that goes was read before.
        const dropBefore = this.#log.events.at(-1)?.time ?? '';
        return { kind: 'compact', source, target: '', dropBefore };
      }
      case 'export':
        return { kind: 'export', source: from, target: `${target}.ndjson` };
      case 'import': {
        const [file] = this.#files.slice(-1);
        if (!file) return { kind: 'export', source: from, target: `${target}.ndjson` };
        return { kind: 'import', source: file.path, target };
      }
      case 'restore the store':
        return { kind: 'restore', source, target };
      case 'restore a backup':
        return { kind: 'restore', source: this.#random.pick(this.#backups), target };
      case 'restore to a position':
        return { kind: 'restore', source: from, target, to: event.position };
      case 'restore to a time':
        return { kind: 'restore', source: from, target, to: event.time };
    }
  }

  /** Kills it at random moments, and does it again, until it has come to its end. */
  async #carryOut(task: TendingTask): Promise<void> {
    const kills = this.#random.below(this.#plan.killsMax + 1);
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await this.#attempt(task, attempt < kills);
      if (outcome === 'failed') return;
      await this.#check(task, outcome);
      const isThere = task.target !== '' && task.kind !== 'export' && existsSync(task.target);
      if (!outcome && !isThere) continue;
      this.#done += 1;
      this.#tidy(task, outcome);
      return;
    }
  }

  /** @returns what it said at its end; nothing when it was killed before */
  async #attempt(task: TendingTask, isKilled: boolean): Promise<Ended | 'failed' | undefined> {
    const program = new Program('./tending-process.mjs', { task });
    const early = isKilled && this.#random.chance(0.2);
    if (!early) await program.line('begun');
    const began = performance.now();
    if (isKilled) {
      const longest = this.#longest.get(task.kind) ?? 40;
      await new Promise((resolve) => setTimeout(resolve, this.#random.below(longest)));
      program.kill('SIGKILL');
    }
    const { output, errors, signal } = await program.ended;
    const name = `${task.kind} ${basename(task.target)}`;
    const report = JSON.parse(output.trimEnd().split('\n').at(-1) || 'null') as TendingReport;
    if (errors !== '') this.#problems.push(`${name} printed: ${errors}`);
    if (report?.kind === 'failed') return await this.#fail(task, report.code, report.message);
    if (report?.kind === 'ended') {
      const took = performance.now() - began;
      this.#longest.set(task.kind, Math.max(took, this.#longest.get(task.kind) ?? 0));
      if (report.resumed) this.#resumed += 1;
      return report;
    }
    if (signal === 'SIGKILL') this.#killed[task.kind] = (this.#killed[task.kind] ?? 0) + 1;
    else this.#problems.push(`${name} ended without a word`);
    return undefined;
  }

  async #fail(task: TendingTask, code: string, message: string): Promise<'failed'> {
    await this.#log.readOn();
    const { kind, source, target, since, to } = task;
    // What was asked for may have been dropped after it was chosen.
    const needsAll = to !== undefined || kind === 'export';
    const isDropped =
      code === 'HISTORY_PRUNED'
        ? needsAll && this.#droppedTo > 0
        : code === 'OTHER_HISTORY' && manifestOf(since ?? '').position <= this.#droppedTo;
    if (!isDropped) this.#problems.push(`${kind} of ${source}: ${code} ${message}`);
    else if (kind !== 'export' && existsSync(target)) {
      this.#problems.push(`${kind} was refused, and left ${target}`);
    }
    this.#pruned += 1;
    return 'failed';
  }

  async #check(task: TendingTask, ended: Ended | undefined): Promise<void> {
    const { kind, target: directory } = task;
    const copy = { directory, log: this.#log, random: this.#random };
    let problems: string[] = [];
    if (kind === 'export') problems = await exportProblems(directory, this.#log, ended?.position);
    else if (directory !== '' && existsSync(directory)) {
      if (kind === 'backup') problems = await backupProblems(copy);
      if (kind === 'restore') problems = await restoreProblems(copy, this.#positionOf(task));
      if (kind === 'import') problems = await importProblems(copy, this.#lengthOf(task.source));
    } else if (directory !== '' && ended) problems = ['it said that it was done'];
    this.#problems.push(...problems.map((problem) => `${JSON.stringify(task)}: ${problem}`));
  }

  #positionOf({ to }: TendingTask): number | undefined {
    return typeof to === 'string' ? this.#log.positionBefore(to) : to;
  }

  #lengthOf(file: string): number {
    return this.#files.find(({ path }) => path === file)?.position ?? 0;
  }

  /** Keeps what others are made of; of the rest nothing is left, nor beside it. */
  #tidy({ kind, target }: TendingTask, ended: Ended | undefined): void {
    if (target === '') return;
    const beside = readdirSync(this.#plan.root).filter((name) => {
      if (!name.startsWith(`${basename(target)}.`) || !name.endsWith('.tmp')) return false;
      // One that died right at its beginning cannot be told from one that has only begun.
      return readdirSync(join(this.#plan.root, name)).length > 0;
    });
    if (beside.length > 0) this.#problems.push(`left beside ${target}: ${beside.join()}`);
    if (kind === 'export') this.#files.push({ path: target, position: ended?.position ?? 0 });
    else if (kind === 'backup') {
      this.#backups.push(target);
      const { position, files } = manifestOf(target);
      const isWhole = ['log', 'archive'].some((folder) =>
        files.some((name) => name.startsWith(`${folder}/00000000000000000001.ndjson`)),
      );
      if (isWhole) this.#whole.push({ path: target, position });
    } else rmSync(target, { recursive: true });
  }

  /** The store is sound, and answers what it is asked about its past. */
  async #look(): Promise<void> {
    const report = await verifyStore(this.#store, { deep: true, lockTimeoutMs: 120_000 });
    if (!report.ok) this.#problems.push(`the store is damaged: ${JSON.stringify(report.damage)}`);
    await this.#log.readOn();
    const options = { readOnly: true, projections: [counts], lockTimeoutMs: 120_000 };
    const store = await openStore(this.#store, options);
    for (let question = 0; question < QUESTIONS; question += 1) {
      const event = this.#random.pick(this.#log.events);
      const { position, stream, version } = event;
      if (stream.startsWith('$')) continue;
      try {
        const range = { from: version, limit: 1 };
        const [found] = await store.readStream(stream, range).toArray();
        const at = await store.at(position).get(counts, stream);
        if (!isDeepStrictEqual(found, event)) this.#problems.push(`${event.id} is another event`);
        if (!isDeepStrictEqual(at, this.#log.countOf(stream, position))) {
          this.#problems.push(`${stream} counts ${JSON.stringify(at)} at ${position}`);
        }
        this.#answered += 1;
      } catch (error) {
        if (!(error instanceof HistoryPrunedError) || !this.#dropping) throw error;
        this.#pruned += 1;
      }
    }
    await store.close();
  }

  async #checkEnd(): Promise<void> {
    await this.#log.readOn();
    const store = await openStore(this.#store, { projections: [counts], compaction: false });
    await store.compact();
    await this.#log.readOn();
    const streams = new Set(this.#log.events.map(({ stream }) => stream));
    for (const stream of streams) {
      if (stream.startsWith('$')) continue;
      const state = await store.get(counts, stream);
      const expected = this.#log.countOf(stream, this.#log.position);
      if (!isDeepStrictEqual(state, expected)) {
        this.#problems.push(`${stream} counts ${JSON.stringify(state)} in the end`);
      }
      if ((await store.version(stream)) !== expected?.events) {
        this.#problems.push(`${stream} has another version than it has events`);
      }
    }
    await store.close();
    const report = await verifyStore(this.#store, { deep: true });
    const { head, firstPosition = 1, commits } = report;
    const isWhole = report.ok && head.position === this.#log.position;
    if (!isWhole || commits !== head.position - firstPosition + 1) {
      this.#problems.push(`in the end the store is not whole: ${JSON.stringify(report)}`);
    }
    this.#problems.push(...stormProblems(this.#heard, this.#log.events), ...this.#leftovers());
    await this.#log.close();
  }

  get #drops(): { readonly segments: number; readonly lastPosition: number }[] {
    return this.#log.events
      .filter(({ type }) => type === '$retention.dropped')
      .map(({ data }) => data as { segments: number; lastPosition: number });
  }

  get #droppedTo(): number {
    return this.#drops.at(-1)?.lastPosition ?? 0;
  }

  /** Files that nobody needs any more. */
  #leftovers(): string[] {
    const names = filesIn(this.#store);
    const problems = names
      .filter((name) => name.endsWith('.tmp'))
      .map((name) => `${name} is left over`);
    const archived = names.filter((name) => /^archive\/.*\.ndjson\.gz$/.test(name));
    for (const name of archived) {
      const plain = name.replace(/^archive/, 'log').slice(0, -'.gz'.length);
      if (names.includes(plain)) problems.push(`${plain} is in the archive, too`);
    }
    for (const kind of ['log-', 'projection-']) {
      const snapshots = names.filter((name) => name.startsWith(`snapshots/${kind}`));
      if (snapshots.length > SNAPSHOTS_MAX) problems.push(`${snapshots.length} snapshots are kept`);
    }
    return problems;
  }
}

function manifestOf(directory: string): { position: number; files: string[] } {
  const text = readFileSync(join(directory, 'manifest.json'), 'utf8');
  const { position, files } = JSON.parse(text) as {
    position: number;
    files: { name: string }[];
  };
  return { position, files: files.map(({ name }) => name) };
}

function shuffled<T>(values: readonly T[], random: SeededRandom): T[] {
  const left = [...values];
  return values.map(() => left.splice(random.below(left.length), 1)[0] as T);
}
