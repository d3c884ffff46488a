/** What a store gives cannot be changed, at any depth. */
import { describe, expect, test } from 'vitest';
import {
  openLog,
  openStore,
  replayStore,
  salvageStore,
  type VersionConflictError,
  verifyStore,
} from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { added, byTag, counter, failureOf, options, tagged } from './support.js';

/** Paths to what could be changed. */
function open(value: unknown, path = 'it', seen = new Set<unknown>()): string[] {
  if (typeof value !== 'object' || value === null || seen.has(value)) return [];
  seen.add(value);
  const own = Object.isFrozen(value) ? [] : [path];
  return own.concat(
    Reflect.ownKeys(value).flatMap((key) =>
      open((value as Record<PropertyKey, unknown>)[key], `${path}.${String(key)}`, seen),
    ),
  );
}

describe('what a store gives', () => {
  test('is deeply frozen, whatever was asked', async () => {
    const directory = temporaryDirectory();
    const store = await openStore(directory, options);
    const given: Record<string, unknown> = {
      append: await store.append('c', added()),
      appendSync: store.appendSync('c', [added(), tagged('a', 'x')]),
      commit: await store.commit([{ stream: 'd', events: added() }], { actor: 'anna' }),
      commitSync: store.commitSync([{ stream: 'd', events: { ...added(), metadata: { a: [1] } } }]),
      readAll: await store.readAll().toArray(),
      readAllSync: store.readAllSync().toArray(),
      readStream: await store.readStream('c').toArray(),
      get: await store.get(byTag, 'x'),
      entries: await store.entries(counter).toArray(),
      entriesSync: store.entriesSync(byTag).toArray(),
      head: store.head,
      recovery: store.recovery,
      stats: store.stats(),
      history: await store.history(byTag, 'x').toArray(),
      blame: await store.blame(byTag, 'x'),
      blameSync: store.blameSync(byTag, 'x'),
      diff: await store.diff(byTag, { prefix: '' }, 0, 4).toArray(),
      'entries as of then': await store.at(2).entries(counter).toArray(),
      'readAll as of then': store.at(2).readAllSync().toArray(),
      command: await store.command(counter, 'c', () => added()),
      verify: await store.verify(),
    };
    for await (const entry of store.entries(counter)) given['an entry'] = entry;
    await store.transaction(async (tx) => {
      tx.append('c', tagged('b', 'x', 'y'));
      given['get in a transaction'] = await tx.get(byTag, 'y');
      given['entries in a transaction'] = await tx.entries(byTag).toArray();
      for await (const entry of tx.entries(byTag)) given['an entry in a transaction'] = entry;
      given['a savepoint'] = tx.savepoint();
    });
    const conflict = await failureOf(() => store.append('c', added(), { expectedVersion: 99 }));
    given['failures of a conflict'] = (conflict as VersionConflictError).failures;
    const moved = await failureOf(() =>
      store.transaction(
        async (tx) => {
          await tx.get(counter, 'c');
          await store.append('c', added());
          tx.append('d', added());
        },
        { retries: 0 },
      ),
    );
    given['positions of a conflict'] = (moved as { positions?: unknown }).positions;
    expect(given['positions of a conflict']).toHaveLength(1);
    await store.close();

    given['verifyStore'] = await verifyStore(directory);
    given['replayStore'] = await replayStore(directory, options);
    given['salvageStore'] = await salvageStore(directory, `${directory}-saved`);
    await using log = await openLog(directory);
    given['stats of a log'] = log.stats();
    given['events of a log'] = log.readAllSync().toArray();
    for (const [name, value] of Object.entries(given)) expect(open(value), name).toEqual([]);
  });
});
