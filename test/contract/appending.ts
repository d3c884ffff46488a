/** What an accepted append or commit answers, and what stands in the log afterwards. */
import { describe, expect, test } from 'vitest';
import type { MakePlace } from './suite.js';
import { bothWays, counted, places } from './support.js';

/** Names that an object could mistake for its own. */
const treacherousNames = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'];

export function appending(make: MakePlace): void {
  bothWays('appending', (way) => {
    test('gives positions in the log and versions in the stream, from 1', async () => {
      const { open, clock } = make();
      const log = way(await open());
      const time = new Date(clock.now()).toISOString();
      expect(await log.append('a/1', counted(1))).toEqual({
        position: 1,
        time,
        firstVersion: 1,
        version: 1,
        repeated: false,
      });
      expect(await log.append('b/1', counted(2))).toMatchObject({ position: 2, version: 1 });
      expect(await log.append('a/1', counted(3))).toMatchObject({ position: 3, version: 2 });
      expect(places(await log.readAll())).toEqual(['a/1@1', 'b/1@1', 'a/1@2']);
    });

    test('gives the events of a list one position and versions in a row', async () => {
      const { open } = make();
      const log = way(await open());
      await log.append('a/1', counted(1));
      const appended = await log.append('a/1', [counted(2), counted(3), counted(4)]);
      expect(appended).toMatchObject({ position: 2, firstVersion: 2, version: 4 });
      const events = await log.readAll({ from: 2 });
      expect(events.map(({ id }) => id)).toEqual(['2.0', '2.1', '2.2']);
      expect(events.map(({ index }) => index)).toEqual([0, 1, 2]);
      expect(events.map(({ last }) => last)).toEqual([false, false, true]);
      expect(events.map(({ version }) => version)).toEqual([2, 3, 4]);
    });

    test('records an event with nothing but what it was given', async () => {
      const { open, clock } = make();
      const log = way(await open());
      await log.append('a/1', { type: 'counted', data: null });
      const [event] = await log.readAll();
      expect(event).toStrictEqual({
        id: '1.0',
        position: 1,
        index: 0,
        last: true,
        time: new Date(clock.now()).toISOString(),
        stream: 'a/1',
        version: 1,
        type: 'counted',
        schemaVersion: 1,
        data: null,
      });
    });

    test('records who appended, why and from what with every event of the commit', async () => {
      const { open } = make();
      const log = way(await open());
      const context = {
        actor: 'alice',
        reason: 'a line\nand "another"',
        correlationId: 'conversation 7',
        causationId: '3.0',
        idempotencyKey: 'order 9',
      };
      await log.append('a/1', [counted(1), counted(2)], context);
      const events = await log.readAll();
      expect(events).toHaveLength(2);
      for (const event of events) expect(event).toMatchObject(context);
    });

    test('counts undefined members of options and events as absent', async () => {
      const { open } = make();
      const log = way(await open());
      const nothing = { actor: undefined, reason: undefined, correlationId: undefined };
      await log.append(
        'a/1',
        { type: 'counted', data: 1, metadata: undefined, schemaVersion: undefined },
        { ...nothing, causationId: undefined, idempotencyKey: undefined, signal: undefined },
      );
      await log.commit([{ stream: 'a/1', events: [counted(2)], expectedVersion: undefined }], {
        checks: undefined,
      });
      const [first] = await log.readAll();
      expect(Object.keys(first ?? {})).not.toContain('actor');
      expect(Object.keys(first ?? {})).not.toContain('metadata');
    });

    test('names the actor that the log was opened with, unless a call names another', async () => {
      const { open } = make();
      const log = way(await open({ actor: 'the opener' }));
      await log.append('a/1', counted(1));
      await log.append('a/1', counted(2), { actor: 'the caller' });
      await log.append('a/1', counted(3), { actor: undefined });
      const actors = (await log.readAll()).map(({ actor }) => actor);
      expect(actors).toEqual(['the opener', 'the caller', 'the opener']);
    });

    test('keeps the metadata of those events that have any', async () => {
      const { open } = make();
      const log = way(await open());
      await log.append('a/1', [
        counted(1),
        { ...counted(2), metadata: { source: { page: 3 } } },
        { ...counted(3), metadata: {} },
      ]);
      const events = await log.readAll();
      expect(events.map((event) => 'metadata' in event)).toEqual([false, true, true]);
      expect(events[1]?.metadata).toEqual({ source: { page: 3 } });
      expect(events[2]?.metadata).toEqual({});
    });

    test('keeps the version of the schema, which is 1 unless it is told', async () => {
      const { open } = make();
      const log = way(await open());
      const versions = [undefined, 1, 2, Number.MAX_SAFE_INTEGER];
      await log.append(
        'a/1',
        versions.map((schemaVersion) => ({ ...counted(1), schemaVersion })),
      );
      const events = await log.readAll();
      expect(events.map(({ schemaVersion }) => schemaVersion)).toEqual([
        1,
        1,
        2,
        Number.MAX_SAFE_INTEGER,
      ]);
    });

    test('commits to several streams at one position, in the order of the parts', async () => {
      const { open } = make();
      const log = way(await open());
      await log.append('b/1', counted(1));
      const committed = await log.commit([
        { stream: 'a/1', events: [counted(2), counted(3)] },
        { stream: 'b/1', events: counted(4) },
        { stream: 'c/1', events: [counted(5)] },
      ]);
      expect(committed).toMatchObject({ position: 2, repeated: false });
      expect({ ...committed.versions }).toEqual({ 'a/1': 2, 'b/1': 2, 'c/1': 1 });
      const events = await log.readAll({ from: 2 });
      expect(places(events)).toEqual(['a/1@1', 'a/1@2', 'b/1@2', 'c/1@1']);
      expect(events.map(({ last }) => last)).toEqual([false, false, false, true]);
    });

    test('takes any name that a careless object would mistake for its own', async () => {
      const { open } = make();
      const log = way(await open());
      for (const name of treacherousNames) {
        const data = JSON.parse(`{"${name}":{"${name}":1},"n":2}`) as unknown;
        const committed = await log.commit(
          [{ stream: name, events: { type: name, data, metadata: data } }],
          { actor: name, correlationId: name, causationId: name, idempotencyKey: name },
        );
        expect(Object.entries(committed.versions)).toEqual([[name, 1]]);
        expect(await log.version(name)).toBe(1);
        const [event] = await log.readStream(name);
        expect(event).toMatchObject({ stream: name, type: name, actor: name });
        expect(JSON.stringify(event?.data)).toBe(JSON.stringify(data));
        expect(JSON.stringify(event?.metadata)).toBe(JSON.stringify(data));
        expect(await log.readAll({ streams: [name], types: [name] })).toHaveLength(1);
        const again = await log.commit(
          [{ stream: name, events: { type: name, data, metadata: data } }],
          {
            idempotencyKey: name,
          },
        );
        expect(again.repeated).toBe(true);
      }
      expect(await log.version('valueOf')).toBe(0);
      expect(Object.keys(Object.prototype)).toEqual([]);
      expect(({} as { n?: unknown }).n).toBeUndefined();
    });

    test('takes names of every script, and streams without a category', async () => {
      const { open } = make();
      const log = way(await open());
      const names = ['plain', 'a/b/c', 'läufer/straße', '記憶/一', 'emoji/🧠', 'star*', ' ', '"\\'];
      for (const name of names) await log.append(name, counted(1));
      expect((await log.readAll()).map(({ stream }) => stream)).toEqual(names);
      for (const name of names) expect(await log.version(name)).toBe(1);
    });
  });

  describe('appending in the background', () => {
    test('takes the events as they were when it was called', async () => {
      const { open } = make();
      const log = await open();
      const data = { n: 1, list: [1] };
      const events = [{ type: 'counted', data }];
      const options = { actor: 'alice' };
      const appended = log.append('a/1', events, options);
      data.n = 2;
      data.list.push(2);
      events.push({ type: 'counted', data });
      options.actor = 'mallory';
      await appended;
      const stored = await log.readAll().toArray();
      expect(stored).toHaveLength(1);
      expect(stored[0]).toMatchObject({ data: { n: 1, list: [1] }, actor: 'alice' });
    });

    test('lets timers run while one append is waited for after the other', async () => {
      const { open } = make();
      const log = await open();
      let hasRun = false;
      setTimeout(() => {
        hasRun = true;
      }, 1);
      for (let n = 0; n < 3000 && !hasRun; n += 1) await log.append('a/1', counted(n));
      expect(hasRun).toBe(true);
    });

    test('answers a thousand calls of one turn in the order of the calls', async () => {
      const { open } = make();
      const log = await open();
      const calls = Array.from({ length: 1000 }, (_, n) => log.append(`a/${n % 7}`, counted(n)));
      const appended = await Promise.all(calls);
      expect(appended.map(({ position }) => position)).toEqual(
        Array.from({ length: 1000 }, (_, n) => n + 1),
      );
      const events = await log.readAll().toArray();
      expect(events.map(({ data }) => (data as { n: number }).n)).toEqual(
        Array.from({ length: 1000 }, (_, n) => n),
      );
    });
  });
}
