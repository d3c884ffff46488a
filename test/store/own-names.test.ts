/** Names that begin with '$' are the store's own. */
import { describe, expect, test } from 'vitest';
import { openLog, openStore } from '#src/index.js';
import { openLog as openLogInside } from '#src/log/open-log.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { added, counter, expectInvalidArgument, failureOf, options } from './support.js';

const plain = { type: 'counter.added', data: { by: 1 } };

describe("a stream whose name begins with '$'", () => {
  test('is refused by every call that would write it, with nothing written', async () => {
    await using store = await openStore({ memory: true, ...options });
    await using log = await openLog({ memory: true });
    const other = { stream: 'c', events: added() };
    const writing: Record<string, () => unknown> = {
      append: () => store.append('$own', added()),
      'append of a list': () => store.append('$own', [added()]),
      appendSync: () => store.appendSync('$own', added()),
      commit: () => store.commit([other, { stream: '$own', events: added() }]),
      commitSync: () => store.commitSync([other, { stream: '$own', events: added() }]),
      transaction: () => store.transaction(async (tx) => tx.append('$own', added())),
      command: () => store.command(counter, '$own', () => added()),
      'append to a log': () => log.append('$own', plain),
      'appendSync to a log': () => log.appendSync('$own', [plain]),
      'commit to a log': () => log.commit([{ stream: '$own', events: plain }]),
      'commitSync to a log': () => log.commitSync([{ stream: '$own', events: plain }]),
    };
    for (const [name, write] of Object.entries(writing)) {
      const error = await failureOf(async () => await write());
      expect(error, name).toMatchObject({ code: 'INVALID_ARGUMENT' });
      expect(String(error), name).toContain(`"$own" begins with '$'`);
    }
    expect(store.head.position).toBe(0);
    expect(log.head.position).toBe(0);
  });

  test('is refused again after another call was refused', async () => {
    await using store = await openStore({ memory: true, ...options });
    for (let n = 0; n < 3; n += 1) {
      await expectInvalidArgument(() => store.append('$twice', added()));
    }
  });

  test("can be written by the store's own parts, in either way, and read by everybody", async () => {
    const directory = temporaryDirectory();
    const own = await openLogInside(directory);
    const event = { type: '$moved', data: { to: 7 } };
    const first = await own.internals.commitOwn(
      [{ stream: '$subscription/mail', events: event, expectedVersion: 'absent' }],
      { actor: 'anna' },
    );
    expect(first).toMatchObject({ position: 1, versions: { '$subscription/mail': 1 } });
    const second = own.internals.commitOwnSync([
      { stream: 'c', events: plain },
      { stream: '$subscription/mail', events: event, expectedVersion: 1 },
    ]);
    expect(second).toMatchObject({ position: 2, versions: { c: 1, '$subscription/mail': 2 } });
    await own.close();

    await using store = await openStore(directory, options);
    expect(await store.version('$subscription/mail')).toBe(2);
    const events = store.readStreamSync('$subscription/mail').toArray();
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      ['$moved', { to: 7 }],
      ['$moved', { to: 7 }],
    ]);
    expect(await store.readAll({ streams: ['$*'] }).toArray()).toHaveLength(2);
    const checks = [{ stream: '$subscription/mail', expectedVersion: 2 }] as const;
    await store.commit([{ stream: 'c', events: added() }], { checks });
    const version = await store.transaction(async (tx) => await tx.version('$subscription/mail'));
    expect(version).toBe(2);
    expect((await store.verify()).ok).toBe(true);
  });
});
