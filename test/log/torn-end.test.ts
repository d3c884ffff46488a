/** What is told of a torn end: whether it can have been acknowledged follows from the durability. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { diagnoseStore, openLog } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test.each([
  ['sync', 'had not been acknowledged', 'were never acknowledged'],
  ['os', 'may have been acknowledged', 'may have been acknowledged'],
] as const)('with durability %s it says that it %s', async (durability, repaired, diagnosed) => {
  const directory = join(temporaryDirectory(), 'store');
  const log = await openLog(directory, { durability });
  await log.append('a/1', { type: 'noted', data: 1 });
  await log.close();
  const segment = join(directory, 'log/00000000000000000001.ndjson');
  appendFileSync(segment, '{"p":2,"g":"2-');
  const { findings } = await diagnoseStore(directory);
  const told = findings.filter(({ problem }) => problem.includes('at the end of the log'));
  expect(told).toMatchObject([{ problem: expect.stringContaining(diagnosed) as string }]);
  const again = await openLog(directory);
  expect(again.recovery).toMatchObject({
    ...{ state: 'repaired', position: 1, bytes: 14 },
    problem: expect.stringContaining(repaired) as string,
  });
  await again.close();
});
