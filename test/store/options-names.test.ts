/** Options by names that there are not: heard at every call that takes options. */
import { describe, expect, test } from 'vitest';
import { openLog, openStore, replayStore, verifyStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { added, counter, failureOf, options } from './support.js';

type Call = (wrong: object) => unknown;

async function calls(): Promise<Record<string, Call>> {
  const directory = temporaryDirectory();
  const store = await openStore(directory, options);
  const log = await openLog(temporaryDirectory());
  const plain = { type: 'counter.added', data: { by: 1 } };
  const part = { stream: 'c', events: added() };
  return {
    openStore: (wrong) => openStore({ memory: true, ...wrong }),
    openLog: (wrong) => openLog({ memory: true, ...wrong }),
    verifyStore: (wrong) => verifyStore(directory, wrong),
    replayStore: (wrong) => replayStore(directory, wrong),
    append: (wrong) => store.append('c', added(), wrong),
    'append of a list': (wrong) => store.append('c', [added()], wrong),
    appendSync: (wrong) => store.appendSync('c', added(), wrong),
    commit: (wrong) => store.commit([part], wrong),
    commitSync: (wrong) => store.commitSync([part], wrong),
    'a part of a commit': (wrong) => store.commit([{ ...part, ...wrong }]),
    'a check of a commit': (wrong) =>
      store.commit([part], { checks: [{ stream: 'd', expectedVersion: 0, ...wrong }] }),
    readAll: (wrong) => store.readAll(wrong).toArray(),
    readAllSync: (wrong) => store.readAllSync(wrong).toArray(),
    readStream: (wrong) => store.readStream('c', wrong).toArray(),
    'readAll as of then': (wrong) => store.at(0).readAll(wrong).toArray(),
    entries: (wrong) => store.entries(counter, wrong).toArray(),
    entriesSync: (wrong) => store.entriesSync(counter, wrong).toArray(),
    history: (wrong) => store.history(counter, 'c', wrong).toArray(),
    blame: (wrong) => store.blame(counter, 'c', wrong),
    diff: (wrong) => store.diff(counter, { prefix: '', ...wrong }, 0, 0).toArray(),
    subscribe: (wrong) => store.subscribe(wrong),
    verify: (wrong) => store.verify(wrong),
    transaction: (wrong) => store.transaction(async () => {}, wrong),
    'append in a transaction': (wrong) =>
      store.transaction(async (tx) => tx.append('c', added(), wrong)),
    'entries in a transaction': (wrong) =>
      store.transaction(async (tx) => await tx.entries(counter, wrong).toArray()),
    command: (wrong) => store.command(counter, 'c', () => added(), wrong),
    'append to a log': (wrong) => log.append('c', plain, wrong),
    'commit to a log': (wrong) => log.commit([{ stream: 'c', events: plain }], wrong),
    'readAll of a log': (wrong) => log.readAll(wrong).toArray(),
    'readStream of a log': (wrong) => log.readStream('c', wrong).toArray(),
    follow: (wrong) => log.follow(wrong),
  };
}

describe('an option that there is not', () => {
  test('is refused by every call that takes options, and changes nothing', async () => {
    for (const [name, call] of Object.entries(await calls())) {
      const error = await failureOf(async () => await call({ wrongOne: 1 }));
      expect(error, name).toBeInstanceOf(TypeError);
      expect(error, name).toMatchObject({ code: 'UNKNOWN_OPTION' });
      expect(String(error), name).toContain('"wrongOne"');
    }
  });

  test('counts as absent where it is undefined', async () => {
    for (const [name, call] of Object.entries(await calls())) {
      const given = await Promise.resolve(call({ wrongOne: undefined })).then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      expect(given, name).not.toHaveProperty('error');
    }
  });

  test('tells the nearest that there is', async () => {
    await using store = await openStore({ memory: true, ...options });
    const near: [wrong: string, right: string, call: Call][] = [
      ['freshnessMS', 'freshnessMs', (wrong) => openStore({ memory: true, ...wrong })],
      ['projection', 'projections', (wrong) => openStore({ memory: true, ...wrong })],
      ['expectedversion', 'expectedVersion', (wrong) => store.append('c', added(), wrong)],
      ['idempotencykey', 'idempotencyKey', (wrong) => store.append('c', added(), wrong)],
      ['prefx', 'prefix', (wrong) => store.entries(counter, wrong)],
      ['retires', 'retries', (wrong) => store.transaction(async () => {}, wrong)],
      ['rav', 'raw', (wrong) => store.readAll(wrong)],
    ];
    for (const [wrong, right, call] of near) {
      const error = await failureOf(async () => await call({ [wrong]: 1 }));
      expect(String(error)).toContain(`did you mean ${right}?`);
    }
    expect(store.head.position).toBe(0);
  });

  test('is not looked for on a prototype', async () => {
    await using store = await openStore({ memory: true, ...options });
    const inherited = Object.create({ wrongOne: 1, actor: 'anna' }) as object;
    await store.append('c', added(), inherited);
    expect((await store.readAll().toArray())[0]?.actor).toBe('anna');
  });
});
