/**
 * Half an hour (RECOLLECT_MINUTES) of four agents on one memory: they write, read, recall and compact, are killed, stopped and replaced at random, while the memory
 * is backed up and restored to moments of its past. Then every promise is checked: each acknowledged call stands once, with its effect; what was
 * restored is what `at` says; memory, descriptors and disk stay within bounds.
 */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import {
  type Memory,
  openMemory,
  type RecordedEvent,
  restoreStore,
  verifyStore,
} from '#src/index.js';
import type { EnduringReport, EnduringTask } from '../support/enduring.mjs';
import { callOf } from '../support/enduring-calls.mjs';
import { Program } from '../support/programs.js';
import { SeededRandom } from '../support/random.js';
import { seed } from '../support/runs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const MINUTES = Number(process.env['RECOLLECT_MINUTES'] ?? 30);
const MIB = 1024 * 1024;
const AGENTS = ['anna', 'bo', 'cleo', 'dan'];
const CALLERS = 4;
const RSS_MAX = 700 * MIB;
const DESCRIPTORS_MAX = 200;
/** Of the log, the archive and what goes with them, beside the bytes of the events as JSON. */
const LOG_FACTOR = 1;
/** Of the snapshots: two of each are kept, and one of all states and of what can be found takes about twice the bytes of the events. */
const SNAPSHOTS_KEPT = 2;
const SNAPSHOT_FACTOR = 3;
const BACKUPS_KEPT = 2;
/** Compactions take turns, and each may be stopped for a while. */
const PATIENCE_MS = 120_000;

interface Used {
  rssBytes: number;
  descriptors: number;
}

/** What a process uses, where the system tells. */
function usedBy(pid: number): Used | undefined {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    const descriptors = readdirSync(`/proc/${pid}/fd`).length;
    return { rssBytes: pages * 4096, descriptors };
  } catch {
    return undefined;
  }
}

function bytesOf(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).reduce((sum, entry) => {
    try {
      return entry.isFile() ? sum + statSync(join(entry.parentPath, entry.name)).size : sum;
    } catch {
      // Compaction took it away meanwhile.
      return sum;
    }
  }, 0);
}

/** An agent through all its lives. */
class Agent {
  readonly acknowledged = new Map<number, number | null>();
  readonly wrong: string[] = [];
  compacted = 0;
  lives = 0;
  #program: Program;
  readonly #begun = new Set<number>();
  #last = 0;
  readonly directory: string;
  readonly name: string;

  constructor(directory: string, name: string) {
    this.directory = directory;
    this.name = name;
    this.#program = this.#start();
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** Numbers that may or may not have come through. */
  get unsure(): number[] {
    return [...this.#begun].filter((number) => !this.acknowledged.has(number));
  }

  #start(): Program {
    this.lives += 1;
    const task: EnduringTask = {
      directory: this.directory,
      agent: this.name,
      first: this.#last + 1,
      again: this.unsure,
      callers: CALLERS,
      pauseMs: 400,
      options: {
        lockTimeoutMs: 120_000,
        segmentBytes: MIB,
        cacheBytes: 32 * MIB,
        compaction: { tailBytes: 4 * MIB },
      },
    };
    const program = new Program('./enduring.mjs', { task });
    program.onLine((line) => this.#hear(JSON.parse(line) as EnduringReport));
    return program;
  }

  #hear(report: EnduringReport): void {
    if (report.kind === 'begun') {
      this.#begun.add(report.number);
      this.#last = Math.max(this.#last, report.number);
    } else if (report.kind === 'acknowledged') {
      this.acknowledged.set(report.number, report.position);
    } else if (report.kind === 'wrong') this.wrong.push(report.what);
    else if (report.kind === 'compacted') this.compacted += 1;
  }

  async kill(): Promise<void> {
    this.#program.kill('SIGKILL');
    const { errors } = await this.#program.ended;
    expect(errors).toBe('');
    this.#program = this.#start();
  }

  async pause(milliseconds: number): Promise<void> {
    this.#program.kill('SIGSTOP');
    await setTimeout(milliseconds);
    this.#program.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    this.#program.tell('stop');
    expect(await this.#program.ended).toMatchObject({ code: 0, errors: '' });
  }
}

/** The restored memory reads as the memory did at that moment. */
async function expectSame(memory: Memory, restored: Memory, position: number): Promise<void> {
  const past = memory.at(position);
  for (let user = 0; user < 20; user += 1) {
    const id = `user-${user}`;
    expect(await restored.users.getContext(id)).toEqual(await past.users.getContext(id));
  }
  for (let key = 0; key < 40; key += 1) {
    const id = `shared/${key}`;
    expect(await restored.records.get(id)).toEqual(await past.records.get(id));
  }
  for (const agent of AGENTS) {
    const range = { conversationId: `${agent}-3`, memoryType: 'long-term', limit: 1000 } as const;
    expect(await restored.conversations.retrieve(range)).toEqual(
      await past.conversations.retrieve(range),
    );
  }
}

/** Backs up, checks the copy, restores it to a moment of the past, and compares that with what the memory says of then. */
class Keeper {
  backups = 0;
  restores = 0;
  readonly directory: string;
  readonly root: string;
  readonly random: SeededRandom;
  readonly #kept: string[] = [];

  constructor(directory: string, root: string, random: SeededRandom) {
    this.directory = directory;
    this.root = root;
    this.random = random;
  }

  async round(): Promise<void> {
    const memory = await openMemory(this.directory, {
      readOnly: true,
      lockTimeoutMs: PATIENCE_MS,
    });
    const copy = join(this.root, `backup-${this.backups}`);
    const since = this.#kept.at(-1);
    await memory.engine.backup(copy, since === undefined ? {} : { since });
    this.backups += 1;
    this.#kept.push(copy);
    expect((await verifyStore(copy)).ok).toBe(true);
    const head = (await verifyStore(copy)).head.position;
    const position = 1 + this.random.below(head);
    const target = join(this.root, `restored-${this.backups}`);
    await restoreStore(this.backups % 2 === 0 ? copy : this.directory, target, {
      to: position,
      lockTimeoutMs: PATIENCE_MS,
    });
    const restored = await openMemory(target, { readOnly: true });
    await expectSame(memory, restored, position);
    this.restores += 1;
    await restored.close();
    await memory.close();
    rmSync(target, { recursive: true });
    while (this.#kept.length > BACKUPS_KEPT) {
      rmSync(this.#kept.shift() as string, { recursive: true });
    }
  }
}

/** Each acknowledged call stands in the log once, where its answer said, and each that stands has had its effect. */
async function expectAll(memory: Memory, agents: readonly Agent[]): Promise<number> {
  const byKey = new Map<string, RecordedEvent[]>();
  const users = new Map<string, number>();
  const shared = new Map<string, unknown>();
  let commits = 0;
  for await (const event of memory.engine.readAll()) {
    if (event.last) commits += 1;
    const { idempotencyKey } = event;
    if (idempotencyKey === undefined) continue;
    const known = byKey.get(idempotencyKey);
    if (known) known.push(event);
    else byKey.set(idempotencyKey, [event]);
  }
  for (const { name, acknowledged, unsure } of agents) {
    for (const [number, position] of acknowledged) {
      const events = byKey.get(`${name}/${number}`) ?? [];
      const positions = new Set(events.map((event) => event.position));
      expect({ name, number, times: positions.size }).toEqual({ name, number, times: 1 });
      if (position !== null) expect([...positions]).toEqual([position]);
    }
    for (const number of unsure) {
      const events = byKey.get(`${name}/${number}`) ?? [];
      expect(new Set(events.map((event) => event.position)).size).toBeLessThan(2);
    }
  }
  for (const key of byKey.keys()) {
    const [agent = '', number = ''] = key.split('/');
    const call = callOf(agent, Number(number));
    if (call.kind === 'user') users.set(call.target, (users.get(call.target) ?? 0) + 1);
    if (call.kind === 'shared') shared.set(call.target, Number(number));
    if (call.kind === 'own') {
      const record = await memory.records.get(call.target);
      expect(record?.value).toMatchObject({ agent, number: Number(number) });
    }
  }
  for (const [user, count] of users) {
    expect((await memory.users.getContext(user)).conversationsCount).toBe(count);
  }
  for (const [key, number] of shared) {
    expect((await memory.records.get(key))?.value).toMatchObject({ number });
  }
  return commits;
}

test(`${MINUTES} minutes of four agents that are killed, stopped, backed up and restored`, {
  timeout: (MINUTES + 15) * 60_000,
}, async () => {
  const root = temporaryDirectory();
  const directory = join(root, 'memory');
  const random = new SeededRandom(70 + seed);
  await (await openMemory(directory, { segmentBytes: MIB })).close();
  const agents = AGENTS.map((name) => new Agent(directory, name));
  const keeper = new Keeper(directory, root, random);
  const most: Used = { rssBytes: 0, descriptors: 0 };
  const end = performance.now() + MINUTES * 60_000;
  const watch = setInterval(() => {
    for (const { pid } of agents) {
      const used = usedBy(pid);
      most.rssBytes = Math.max(most.rssBytes, used?.rssBytes ?? 0);
      most.descriptors = Math.max(most.descriptors, used?.descriptors ?? 0);
    }
  }, 1000);
  const disturb = async () => {
    while (performance.now() < end) {
      await setTimeout(2000 + random.below(10_000));
      const agent = random.pick(agents);
      if (random.chance(0.2)) await agent.pause(random.below(3000));
      else await agent.kill();
    }
  };
  const keep = async () => {
    while (performance.now() < end) {
      await setTimeout(Math.min(20_000, MINUTES * 10_000));
      await keeper.round();
    }
  };
  try {
    await Promise.all([disturb(), keep()]);
  } finally {
    clearInterval(watch);
  }
  for (const agent of agents) await agent.stop();
  expect(agents.flatMap(({ wrong }) => wrong)).toEqual([]);

  const report = await verifyStore(directory, { deep: true });
  expect(report).toMatchObject({ ok: true });
  const memory = await openMemory(directory);
  const commits = await expectAll(memory, agents);
  expect(commits).toBe(report.commits);
  let plain = 0;
  for await (const event of memory.engine.readAll()) plain += JSON.stringify(event).length;
  await memory.close();
  const diskBytes = bytesOf(directory);
  const snapshotBytes = bytesOf(join(directory, 'snapshots'));
  const snapshots = readdirSync(join(directory, 'snapshots'));
  console.log({
    minutes: MINUTES,
    commits,
    acknowledged: agents.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0),
    lives: agents.reduce((sum, { lives }) => sum + lives, 0),
    compactions: agents.reduce((sum, { compacted }) => sum + compacted, 0),
    backups: keeper.backups,
    restores: keeper.restores,
    rssMiB: Math.round(most.rssBytes / MIB),
    descriptors: most.descriptors,
    diskMiB: Math.round(diskBytes / MIB),
    snapshotsMiB: Math.round(snapshotBytes / MIB),
    eventsMiB: Math.round(plain / MIB),
  });
  expect(keeper.restores).toBeGreaterThan(0);
  expect(most.rssBytes).toBeLessThan(RSS_MAX);
  expect(most.descriptors).toBeLessThan(DESCRIPTORS_MAX);
  expect(diskBytes - snapshotBytes).toBeLessThan(16 * MIB + LOG_FACTOR * plain);
  expect(snapshotBytes).toBeLessThan(MIB + SNAPSHOTS_KEPT * SNAPSHOT_FACTOR * plain);
  for (const name of snapshots) {
    const beginning = name.replace(/[0-9]{20}\.ndjson$/, '');
    const same = snapshots.filter((other) => other.replace(/[0-9]{20}\.ndjson$/, '') === beginning);
    expect(same.length).toBeLessThanOrEqual(SNAPSHOTS_KEPT);
  }
});
