/** The built program on a store of 200 MB: every command that looks or audits answers what was written, and in a bounded memory. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '#src/index.js';
import { builtProgram, jsonLines } from '../cli/support.js';

const MIB = 2 ** 20;
const COMMITS = 2400;
/** Events of a commit, each of another key. */
const AT_ONCE = 100;
const EVENTS = COMMITS * AT_ONCE;
const KEYS = 20_000;
/** Appended without waiting for those before. */
const TOGETHER = 100;
/** Of the objects of one command; what it holds beside them comes on top. */
const HEAP_MIB = 256;
const RSS_MAX = 512 * MIB;
const PADDING = 'In the office, beside the window, where nobody looks. '.repeat(15);

let cwd = '';
let lastSeal = '';

/** A key is stored again after so many events. */
function valueAt(event: number): { name: string; times: number; text: string } {
  const times = Math.floor(event / KEYS) + 1;
  return { name: `person ${event % KEYS}`, times, text: `${event} ${PADDING}` };
}

function dataOf(event: number) {
  return { value: valueAt(event), section: 'episodic' };
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly lines: number;
}

/** Keeps the first part of what is printed, counts the lines, and holds the highest memory of the process against the bound. */
async function recollect(...argv: string[]): Promise<Ended> {
  const flags = [`--max-old-space-size=${HEAP_MIB}`, builtProgram, ...argv];
  const child = spawn(process.execPath, flags, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  let lines = 0;
  child.stdout.on('data', (piece: Buffer) => {
    for (const byte of piece) if (byte === 0x0a) lines += 1;
    if (stdout.length < MIB) stdout += piece.toString();
  });
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, peakOf(child.pid));
  }, 10);
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearInterval(watch);
  expect(peak, argv.join(' ')).toBeLessThan(RSS_MAX);
  if (process.platform === 'linux') expect(peak, argv.join(' ')).toBeGreaterThan(0);
  if (process.env['RECOLLECT_FIGURES']) console.log(argv.join(' '), Math.round(peak / MIB), 'MiB');
  return { status, stdout, lines };
}

/** The most that a process has ever had, where the system tells. */
function peakOf(pid: number | undefined): number {
  try {
    const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(found?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

beforeAll(async () => {
  cwd = mkdtempSync(join(realpathSync(tmpdir()), 'recollect-test-'));
  const store = await openStore(join(cwd, 'memory'), { compaction: false, actor: 'planner' });
  for (let commit = 0; commit < COMMITS; ) {
    const writing: Promise<unknown>[] = [];
    for (; writing.length < TOGETHER && commit < COMMITS; commit += 1) {
      const parts = Array.from({ length: AT_ONCE }, (_, index) => {
        const event = commit * AT_ONCE + index;
        const events = { type: 'record.stored', data: dataOf(event) };
        return { stream: `records/${event % KEYS}`, events };
      });
      writing.push(store.commit(parts));
    }
    await Promise.all(writing);
  }
  lastSeal = store.head.seal;
  await store.close();
  const log = join(cwd, 'memory/log');
  const bytes = readdirSync(log).reduce((sum, name) => sum + statSync(join(log, name)).size, 0);
  expect(bytes).toBeGreaterThan(200 * 1000 * 1000);
});

afterAll(() => rmSync(cwd, { recursive: true, force: true }));

describe('the log', () => {
  test('prints its end without being read', async () => {
    const segments = readdirSync(join(cwd, 'memory/log')).sort();
    expect(segments.length).toBeGreaterThan(2);
    const { status, stdout } = await recollect('log', 'memory', '--limit', '2', '--json');
    expect(status).toBe(0);
    expect(jsonLines(stdout).map(({ data }) => data)).toEqual([
      dataOf(EVENTS - 1),
      dataOf(EVENTS - 2),
    ]);
    const command = `'${process.execPath}' '${builtProgram}' log memory | head -n 3 | cut -c 1-8`;
    const piped = spawnSync('sh', ['-c', command], { cwd, encoding: 'utf8' });
    expect(piped).toMatchObject({ stderr: '' });
    const ids = piped.stdout.split('\n').map((line) => line.trim());
    expect(ids).toEqual([99, 98, 97].map((index) => `${COMMITS}.${index}`).concat(''));
  });

  test('is filtered, forwards and backwards', async () => {
    const all = await recollect('log', 'memory', '--stream', 'records/77', '--json');
    const wanted = Array.from({ length: EVENTS / KEYS }, (_, round) => dataOf(round * KEYS + 77));
    expect(jsonLines(all.stdout).map(({ data }) => data)).toEqual(wanted.reverse());
    const part = await recollect('log', 'memory', '--from', '5', '--to', '6', '--reverse');
    expect(part.lines).toBe(2 * AT_ONCE);
  });

  test('is exported, and verified', async () => {
    const exported = await recollect('export', 'memory');
    expect(exported).toMatchObject({ status: 0, lines: EVENTS });
    const report = await recollect('verify', 'memory', '--deep', '--json');
    expect(JSON.parse(report.stdout)).toMatchObject({
      ok: true,
      commits: COMMITS,
      events: EVENTS,
      streams: KEYS,
      head: { position: COMMITS, seal: lastSeal },
    });
  });
});

test('all keys differ between two moments where something was written', async () => {
  const from = String(COMMITS - 1);
  const all = await recollect('diff', 'memory', '--all', '--from', from, '--json');
  expect(all).toMatchObject({ status: 1, lines: AT_ONCE });
});

// First everything is found in the log, then in the snapshots.
describe.each(['without snapshots', 'with snapshots'])('a key, %s', (how) => {
  test('is read as it is and as it was', async () => {
    if (how === 'with snapshots') {
      const made = await recollect('snapshot', 'memory', '--json');
      expect(JSON.parse(made.stdout)).toMatchObject({ position: COMMITS });
    }
    const now = await recollect('get', 'memory', 'records/77', '--json');
    expect(JSON.parse(now.stdout)).toMatchObject({ value: valueAt(EVENTS - KEYS + 77) });
    const then = await recollect('get', 'memory', 'records/77', '--at', '600', '--json');
    expect(JSON.parse(then.stdout)).toMatchObject({ value: valueAt(2 * KEYS + 77) });
    expect(await recollect('get', 'memory', 'records/x', '--json')).toMatchObject({ status: 4 });
  });

  test('has a history, and each part of it an author', async () => {
    const history = await recollect('history', 'memory', 'records/77', '--json');
    expect(history.lines).toBe(EVENTS / KEYS);
    const last = await recollect('history', 'memory', 'records/77', '--reverse', '--limit', '1');
    expect(last.stdout).toContain(`records/77@${EVENTS / KEYS}`);
    const blame = await recollect('blame', 'memory', 'records/77', '--json');
    const times = jsonLines(blame.stdout).find(({ path }) => path === '/value/times');
    expect(times).toMatchObject({ value: EVENTS / KEYS, event: { actor: 'planner' } });
  });

  test('differs between two moments', async () => {
    const from = String(COMMITS - 1);
    const one = await recollect('diff', 'memory', 'records/19950', '--from', from, '--json');
    expect(one.status).toBe(1);
    const [difference] = jsonLines(one.stdout);
    expect(difference).toMatchObject({ key: 'records/19950', before: { value: { times: 11 } } });
    expect(difference).toMatchObject({ after: { value: { times: 12 } } });
  });

  test('is listed among all', async () => {
    const keys = await recollect('list', 'memory', 'records/', '--keys');
    expect(keys.lines).toBe(KEYS);
    const after = ['--after', 'records/7', '--limit', '1', '--json'];
    const [next] = jsonLines((await recollect('list', 'memory', 'records/', ...after)).stdout);
    expect(next).toMatchObject({ key: 'records/70', state: { value: { name: 'person 70' } } });
  });

  test('is counted, found again by its words, and folded again', async () => {
    const stats = JSON.parse((await recollect('stats', 'memory', '--json')).stdout) as {
      models: Record<string, { items: number }>;
    };
    expect(stats.models['records']?.items).toBe(KEYS);
    const hits = await recollect('recall', 'memory', 'person 1234', '--limit', '1', '--json');
    expect(jsonLines(hits.stdout)).toMatchObject([{ id: 'records/1234', model: 'records' }]);
    const replayed = await recollect('replay', 'memory', '--projection', 'records', '--json');
    expect(JSON.parse(replayed.stdout)).toMatchObject({ ok: true, events: EVENTS });
  });
});
