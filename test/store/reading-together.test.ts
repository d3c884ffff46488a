/** Many readers at once of a projection that something waits for: what stands behind it is read once, and each gets its own answer. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { realEnvironment } from '#src/log/environment.js';
import { RealDisk } from '#src/log/real-disk.js';
import { openStore, openStoreOn } from '#src/store.js';
import { counted } from '../support/counted.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** Counts what asynchronous calls read. */
class CountingDisk extends RealDisk {
  bytesRead = 0;

  constructor() {
    super();
    const { promises } = this;
    const read = promises.read.bind(promises);
    promises.read = async (...call) => {
      const count = await read(...call);
      this.bytesRead += count;
      return count;
    };
  }
}

test('a hundred readers that come at once read the tail once', async () => {
  const directory = join(temporaryDirectory(), 'store');
  const text = 'x'.repeat(1000);
  {
    await using store = await openStore(directory, { durability: 'os' });
    for (let n = 0; n < 500; n += 1) {
      void store.append(`s/${n % 100}`, { type: 'added', data: text });
    }
    await store.flush();
  }
  const disk = new CountingDisk();
  const options = { projections: [counted], compaction: false } as const;
  await using store = await openStoreOn(realEnvironment(disk), directory, options);
  const before = disk.bytesRead;
  const states = await Promise.all(
    Array.from({ length: 100 }, (_, index) => store.get(counted, `s/${index}`)),
  );
  expect(states).toEqual(Array.from({ length: 100 }, () => ({ n: 5 })));
  // The tail, and the five events of each of the hundred keys; reading the tail once for each would be a hundred times as much.
  expect(disk.bytesRead - before).toBeGreaterThan(500_000);
  expect(disk.bytesRead - before).toBeLessThan(5_000_000);
});

test('readers whose common reading fails are each told why, and the next ones read on', async () => {
  const directory = join(temporaryDirectory(), 'store');
  {
    await using store = await openStore(directory, { durability: 'os' });
    await store.append('s/1', { type: 'added', data: null });
  }
  const disk = new CountingDisk();
  const { promises } = disk;
  const read = promises.read;
  const options = { projections: [counted], compaction: false } as const;
  await using store = await openStoreOn(realEnvironment(disk), directory, options);
  promises.read = async () => {
    throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
  };
  const failed = await Promise.allSettled([1, 2, 3].map(() => store.get(counted, 's/1')));
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  promises.read = read;
  expect(await store.get(counted, 's/1')).toEqual({ n: 1 });
});
