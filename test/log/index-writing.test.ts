/** Index files are written behind the appends, and every closed segment gets its own. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLog } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test.each([true, false])(
  'every segment that was closed has its index once the log is closed (writer thread: %s)',
  async (writerThread) => {
    const directory = join(temporaryDirectory(), 'log');
    const log = await openLog(directory, { segmentBytes: 4096, writerThread });
    // One after the other without a pause: segments are closed while the indexes of earlier ones are being written.
    for (let n = 0; n < 20; n += 1) {
      log.appendSync('a/1', { type: 'x', data: 'x'.repeat(5000) });
      if (n % 5 === 4) await log.append('a/1', { type: 'x', data: n });
    }
    await log.close();
    const segments = readdirSync(join(directory, 'log')).sort();
    expect(segments.length).toBeGreaterThan(15);
    expect(readdirSync(join(directory, 'index')).sort()).toEqual(segments.slice(0, -1));
  },
);
