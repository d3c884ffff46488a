/**
 * Random histories, restored to every one of their positions and carried out and in again: what is read afterwards is what the source gave there. One changed
 * byte anywhere in a backup is found before anything is made.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backupStoreOn } from '#src/compaction/backup.js';
import { exportStoreOn } from '#src/compaction/export.js';
import type { ExportFormat } from '#src/compaction/exported-event.js';
import { importStoreOn } from '#src/compaction/import.js';
import { restoreStoreOn } from '#src/compaction/restore.js';
import { FormatTooNewError, StoreDamagedError } from '#src/errors.js';
import type { Environment } from '#src/log/environment.js';
import { defineProjection, openStoreOn, type Store, type StoreView } from '#src/store.js';
import { SeededRandom } from '../test/support/random.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { SimulatedDisk } from '../test/support/simulated-disk.js';
import { environmentOn } from '../test/support/story.js';

const SOURCE = '/store';
const STREAMS = ['a', 'users/anna', 'users/bö "b"', '日本/1'];
const TYPES = ['added', 'named'];

const counts = defineProjection({
  name: 'counts',
  version: 1,
  initial: () => ({ events: 0, last: null as unknown }),
  on: {
    added: (draft, { data, id }) => {
      draft.events += 1;
      draft.last = { data, id };
    },
    named: (draft) => {
      draft.events += 1;
    },
  },
});
const authors = defineProjection({
  name: 'authors',
  version: 1,
  initial: () => ({ ids: [] as string[] }),
  key: ({ actor, type }) => (actor === undefined ? undefined : [actor, type]),
  on: {
    added: (draft, { id, time }) => {
      draft.ids.push(`${id} ${time}`);
    },
  },
});
const projections = [counts, authors];

const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)));
const plain = json.filter((value) => JSON.stringify(value).includes('-0') === false);

interface CommitPlan {
  readonly parts: readonly {
    readonly stream: string;
    readonly events: readonly {
      type: string;
      data: unknown;
      metadata?: Record<string, unknown>;
      schemaVersion?: number;
    }[];
  }[];
  readonly context: {
    readonly actor?: string;
    readonly reason?: string;
    readonly idempotencyKey?: string;
    readonly correlationId?: string;
  };
  /** The clock moves so far before it, ms; it may go back. */
  readonly wait: number;
  /** How many are handed in at once with it. */
  readonly together: boolean;
}

const event = fc.record(
  {
    type: fc.constantFrom(...TYPES),
    data: plain,
    metadata: fc.constantFrom({ source: 'test' }, { list: [1, { a: null }] }),
    schemaVersion: fc.constantFrom(1, 2),
  },
  { requiredKeys: ['type', 'data'] },
);
const commit: fc.Arbitrary<CommitPlan> = fc.record({
  parts: fc.uniqueArray(
    fc.record({
      stream: fc.constantFrom(...STREAMS),
      events: fc.array(event, { minLength: 1, maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 3, selector: ({ stream }) => stream },
  ),
  context: fc.record(
    {
      actor: fc.constantFrom('planner', 'ätor'),
      reason: fc.constantFrom('because\nof "it"', 'so'),
      correlationId: fc.constantFrom('c-1'),
    },
    { requiredKeys: [] },
  ),
  wait: fc.constantFrom(0, 1, 5, 2000, -3000),
  together: fc.boolean(),
});

interface Told {
  readonly disk: SimulatedDisk;
  readonly environment: Environment;
  readonly store: Store;
}

async function tell(plans: readonly CommitPlan[], number: number): Promise<Told> {
  const disk = new SimulatedDisk({ seed: number });
  const environment = environmentOn(disk.process('a'), disk, new SeededRandom(number));
  let now = disk.clock.now();
  const at = { ...environment, clock: () => now };
  const store = await openStoreOn(at, SOURCE, { projections, segmentBytes: 4096 });
  let waiting: Promise<unknown>[] = [];
  for (const [index, { parts, context, wait, together }] of plans.entries()) {
    now += wait;
    waiting.push(store.commit(parts, { ...context, idempotencyKey: `key-${index}` }));
    // Those handed in at once make one group, so that restores stand in the middle of it.
    if (together) continue;
    await Promise.all(waiting);
    waiting = [];
  }
  await Promise.all(waiting);
  return { disk, environment: at, store };
}

/** All that can be read of a store as of a moment. */
async function readings(view: StoreView | Store, position: number): Promise<unknown> {
  const versions: Record<string, number> = {};
  for (const stream of [...STREAMS, 'none']) versions[stream] = await view.version(stream);
  return {
    events: await view.readAll({ to: position }).toArray(),
    versions,
    counts: await view.entries(counts).toArray(),
    authors: await view.entries(authors).toArray(),
    states: await Promise.all(STREAMS.map((stream) => view.get(counts, stream))),
  };
}

describe('a restore', () => {
  it('to any position gives what reading there gave', { timeout: timeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(commit, { minLength: 1, maxLength: 9 }),
        fc.constantFrom('store', 'backup'),
        fc.nat({ max: 1000 }),
        async (plans, kind, number) => {
          const { environment, store } = await tell(plans, number);
          const head = store.head.position;
          if (kind === 'backup') await backupStoreOn(environment, SOURCE, '/backup');
          const from = kind === 'backup' ? '/backup' : SOURCE;
          for (let position = 0; position <= head; position += 1) {
            const target = `/restored-${position}`;
            const report = await restoreStoreOn(environment, from, target, { to: position });
            expect(report).toMatchObject({ position, head: { position: position + 1 } });
            expect(report.id === store.id).toBe(position === head);
            const restored = await openStoreOn(environment, target, { projections });
            const expected = await readings(store.at(position), position);
            expect(await readings(restored.at(position), position)).toEqual(expected);
            const origin = await restored.readStream('$store/origin').toArray();
            expect(origin).toMatchObject([
              {
                position: position + 1,
                type: '$restored',
                data: {
                  from: kind,
                  store: store.id,
                  position,
                  head: { position: head, seal: store.head.seal },
                },
              },
            ]);
            expect((await restored.verify({ deep: true })).ok).toBe(true);
            const last = plans[position - 1];
            if (last) {
              const options = { ...last.context, idempotencyKey: `key-${position - 1}` };
              const again = await restored.commit(last.parts, options);
              expect(again).toMatchObject({ position, repeated: true });
            }
            await restored.close();
          }
          await store.close();
        },
      ),
      { numRuns: times(25), seed, endOnFailure: true },
    );
  });

  it('to a time gives all that had been committed by then', { timeout: timeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(commit, { minLength: 2, maxLength: 8 }),
        fc.nat(7),
        async (plans, pick) => {
          const { environment, store } = await tell(plans, 1);
          const events = await store.readAll().toArray();
          const time = events[pick % events.length]?.time ?? '';
          const expected = events.filter((each) => each.time <= time);
          const report = await restoreStoreOn(environment, SOURCE, '/restored', {
            to: new Date(time),
          });
          expect(report.position).toBe(expected.at(-1)?.position);
          const restored = await openStoreOn(environment, '/restored');
          expect(await restored.readAll({ to: report.position }).toArray()).toEqual(expected);
          await restored.close();
          await store.close();
        },
      ),
      { numRuns: times(20), seed, endOnFailure: true },
    );
  });
});

async function exported(
  environment: Environment,
  directory: string,
  format: ExportFormat,
): Promise<string> {
  const lines: Buffer[] = [];
  const sink = async (pieces: AsyncIterable<Buffer>) => {
    for await (const piece of pieces) lines.push(piece);
  };
  await exportStoreOn(environment, directory, sink, { format, source: 'urn:test' });
  return Buffer.concat(lines).toString('utf8');
}

describe.each(['ndjson', 'cloudevents'] as const)('%s', (format) => {
  it('carried out, in and out again is the same', { timeout: timeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(commit, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 700 }),
        async (plans, pieceBytes) => {
          const { environment, store } = await tell(plans, 2);
          const text = await exported(environment, SOURCE, format);
          const bytes = Buffer.from(text);
          const pieces = async function* () {
            for (let at = 0; at < bytes.length; at += pieceBytes)
              yield bytes.subarray(at, at + pieceBytes);
          };
          const report = await importStoreOn(environment, pieces(), '/imported', { format });
          expect(report.commits).toBe(store.head.position);
          expect(await exported(environment, '/imported', format)).toBe(text);
          const imported = await openStoreOn(environment, '/imported', { projections });
          const { position } = store.head;
          expect(await readings(imported.at(position), position)).toEqual(
            await readings(store.at(position), position),
          );
          await imported.close();
          await store.close();
        },
      ),
      { numRuns: times(30), seed, endOnFailure: true },
    );
  });

  it('with one letter changed is refused, or read as what it now says', {
    timeout: timeoutMs,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(commit, { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        async (plans, place, letter) => {
          const { environment, store } = await tell(plans, 3);
          await store.close();
          const bytes = Buffer.from(await exported(environment, SOURCE, format));
          bytes[place % bytes.length] = letter;
          const source = async function* () {
            yield bytes;
          };
          let error: unknown;
          try {
            await importStoreOn(environment, source(), '/imported', { format });
          } catch (thrown) {
            error = thrown;
          }
          if (error === undefined) {
            const text = await exported(environment, '/imported', format);
            const told = (lines: string) =>
              lines.split('\n').filter((line) => line.trim() !== '').length;
            expect(told(text)).toBe(told(bytes.toString('utf8')));
          } else {
            expect(error).toMatchObject({ code: 'IMPORT_FAILED', line: expect.any(Number) });
            expect(environment.disk.list('/')).toEqual(['store']);
          }
        },
      ),
      { numRuns: times(150), seed, endOnFailure: true },
    );
  });
});

describe('a backup', () => {
  it('with one byte changed anywhere is not restored', { timeout: timeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(commit, { minLength: 1, maxLength: 6 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (plans, place, change, isPartial) => {
          const { disk, environment, store } = await tell(plans, 4);
          await store.backup('/backup');
          await store.close();
          const files = disk
            .paths()
            .filter(
              (path) => path.startsWith('/backup/') && (disk.contentOf(path)?.length ?? 0) > 0,
            );
          const path = files[place % files.length] as string;
          const size = disk.contentOf(path)?.length ?? 0;
          const at = Math.floor(place / files.length) % size;
          const file = environment.disk.open(path, 'write');
          const byte = Buffer.alloc(1);
          environment.disk.read(file, byte, 0, 1, at);
          byte[0] = (byte[0] ?? 0) ^ change;
          environment.disk.write(file, byte, 0, 1, at);
          environment.disk.close(file);
          const options = isPartial ? { to: 1 } : {};
          const error = await restoreStoreOn(environment, '/backup', '/restored', options).then(
            () => undefined,
            (thrown: unknown) => thrown,
          );
          const isFound = error instanceof StoreDamagedError || error instanceof FormatTooNewError;
          expect(isFound, `${path} at ${at}: ${String(error)}`).toBe(true);
          expect(environment.disk.list('/')).toEqual(['backup', 'store']);
        },
      ),
      { numRuns: times(150), seed, endOnFailure: true },
    );
  });
});
