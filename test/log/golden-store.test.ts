/** A store that format 1 wrote: every later release reads it, and this one still writes exactly it. */
import { chmodSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Head, openLog, type RecordedEvent, verifyStore } from '#src/index.js';
import { goldenFiles } from '../../scripts/write-golden-store.mjs';
import { temporaryDirectory } from '../support/temporary-directory.js';

const fixture = fileURLToPath(new URL('../fixtures/golden-format-1/', import.meta.url));

interface Facts {
  readonly id: string;
  readonly head: Head;
  readonly report: Record<string, unknown>;
}

const facts = JSON.parse(readFileSync(join(fixture, 'facts.json'), 'utf8')) as Facts;

const expected = readFileSync(join(fixture, 'events.ndjson'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as RecordedEvent);

/** All files below, by their path with forward slashes. */
function filesBelow(directory: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(directory, name);
    if (statSync(path).isFile()) {
      files.set(relative(directory, path).split(sep).join('/'), readFileSync(path));
    }
  }
  return files;
}

/** A copy with the modes of a store, whatever a checkout made of them. */
async function copy(): Promise<string> {
  const directory = join(temporaryDirectory(), 'store');
  await cp(join(fixture, 'store'), directory, { recursive: true });
  chmodSync(directory, 0o700);
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, name);
    chmodSync(path, statSync(path).isDirectory() ? 0o700 : 0o600);
  }
  return directory;
}

/** The kinds of the lines of the log, by their first keys. */
function kindsOf(files: ReadonlyMap<string, Buffer>): Set<string> {
  const kinds = new Set<string>();
  for (const [path, bytes] of files) {
    if (!path.startsWith('store/log/')) continue;
    for (const line of bytes.toString('utf8').trimEnd().split('\n')) {
      kinds.add(Object.keys(JSON.parse(line) as object)[0] ?? '');
    }
  }
  return kinds;
}

test('the golden store has every kind of line and every field of a commit', () => {
  const files = filesBelow(fixture);
  expect([...kindsOf(files)].sort()).toEqual(['close', 'p', 'seal', 'segment']);
  const text = [...files.values()].join('');
  for (const field of ['"w":', '"a":', '"r":', '"o":', '"u":', '"k":', '"m":[null,']) {
    expect(text).toContain(field);
  }
});

test('the golden store reads as what was written', async () => {
  const directory = await copy();
  const log = await openLog(directory, { create: false });
  expect(log.recovery.state).toBe('clean');
  expect(log.id).toBe(facts.id);
  expect(log.head).toEqual(facts.head);
  expect(await log.readAll().toArray()).toEqual(expected);
  expect(log.readAllSync({ direction: 'backward' }).toArray()).toEqual([...expected].reverse());
  for (const stream of new Set(expected.map((event) => event.stream))) {
    const own = expected.filter((event) => event.stream === stream);
    expect(await log.readStream(stream).toArray()).toEqual(own);
    expect(await log.version(stream)).toBe(own.length);
  }
  await log.close();
});

test('the golden store is found whole, with the seal that was published', async () => {
  const directory = await copy();
  const { against, ...report } = facts.report;
  expect(against).toBeUndefined();
  expect(await verifyStore(directory, { deep: true, against: facts.head.seal })).toMatchObject({
    ...report,
    ok: true,
    against: 'found',
  });
});

test('the golden store takes the next commit and remembers its keys', async () => {
  const directory = await copy();
  const log = await openLog(directory, { create: false });
  const last = expected.at(-1) as RecordedEvent;
  const again = { type: last.type, data: last.data };
  const key = { idempotencyKey: last.idempotencyKey };
  expect(await log.append(last.stream, again, key)).toMatchObject({
    position: last.position,
    repeated: true,
  });
  const appended = await log.append(
    'users/alice',
    { type: 'user.returned', data: 1 },
    {
      expectedVersion: last.version,
    },
  );
  expect(appended).toMatchObject({ position: last.position + 1, version: last.version + 1 });
  expect(await log.readAll({ to: last.position }).toArray()).toEqual(expected);
  expect(await log.verify({ deep: true, against: facts.head.seal })).toMatchObject({ ok: true });
  await log.close();
});

test('the golden store reads the same for a reader and without its derived files', async () => {
  const directory = await copy();
  rmSync(join(directory, 'index'), { recursive: true });
  const before = filesBelow(directory);
  const log = await openLog(directory, { readOnly: true });
  expect(await log.readAll({ streams: ['users/*'] }).toArray()).toEqual(
    expected.filter(({ stream }) => stream.startsWith('users/')),
  );
  const alice = expected.filter(({ stream }) => stream === 'users/alice');
  expect(await log.version('users/alice')).toBe(alice.length);
  await log.close();
  expect(filesBelow(directory)).toEqual(before);
});

test('this release still writes the golden store byte for byte', async () => {
  expect(await goldenFiles()).toEqual(filesBelow(fixture));
});
