/** How old what is read may be: `freshnessMs` on a clock that the test moves. */
import { expect, test } from 'vitest';
import type { Environment } from '#src/log/environment.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { openStoreOn } from '#src/store.js';
import { environmentFor } from '../support/built-store.js';
import { tagIndexOf } from '../support/tag-index.js';
import { added, bothWays, counter, options } from './support.js';

const tags = tagIndexOf(true);

bothWays('with freshnessMs 50 a store', (way) => {
  async function opened(freshnessMs: number) {
    const disk = new MemoryDisk();
    let now = 1000;
    const environment: Environment = { ...environmentFor(disk, 1), monotonic: () => now };
    const other: Environment = { ...environmentFor(disk, 2), monotonic: () => now };
    const all = { ...options, indexes: [tags] };
    const store = await openStoreOn(environment, '/store', { ...all, freshnessMs });
    const writer = await openStoreOn(other, '/store', all);
    return {
      calls: way(store),
      writer: way(writer),
      pass: (milliseconds: number) => {
        now += milliseconds;
      },
    };
  }

  test('looks for what others wrote at most once in that time', async () => {
    const { calls, writer, pass } = await opened(50);
    await writer.append('c/1', added(1));
    expect(await calls.get(counter, 'c/1')).toEqual({ n: 1 });
    await writer.append('c/1', added(10));
    pass(49);
    expect(await calls.get(counter, 'c/1')).toEqual({ n: 1 });
    expect(await calls.entries(counter)).toEqual([['c/1', { n: 1 }]]);
    expect((await calls.index(tags)).positions).toEqual([]);
    pass(1);
    expect(await calls.entries(counter)).toEqual([['c/1', { n: 11 }]]);
    await writer.append('c/2', added(100));
    expect(await calls.get(counter, 'c/2')).toBeUndefined();
    await calls.refresh();
    expect(await calls.get(counter, 'c/2')).toEqual({ n: 100 });
  });

  test('sees its own writes at once, and what stands before them', async () => {
    const { calls, writer } = await opened(50);
    expect(await calls.get(counter, 'c/1')).toBeUndefined();
    await writer.append('c/1', added(1));
    await calls.append('c/1', added(10));
    expect(await calls.get(counter, 'c/1')).toEqual({ n: 11 });
  });
});
