/** Transactions of several processes over one key: nothing is lost, nothing is done twice, and nobody starves. */
import { describe, expect, test } from 'vitest';
import { defineEvents, defineProjection, event, openStore } from '#src/index.js';
import type { IncrementingReport, IncrementingTask } from '../support/incrementing.mjs';
import { Program } from '../support/programs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const events = defineEvents({ added: event<{ by: number }>() });
const sums = defineProjection({
  name: 'sums',
  version: 1,
  events,
  initial: { n: 0 },
  on: {
    added: (draft, { data }) => {
      draft.n += data.by;
    },
  },
});

interface Counting {
  readonly program: Program;
  readonly reports: IncrementingReport[];
}

function counting(task: IncrementingTask): Counting {
  const program = new Program('incrementing.mjs', { task });
  const reports: IncrementingReport[] = [];
  program.onLine((line) => reports.push(JSON.parse(line) as IncrementingReport));
  return { program, reports };
}

const acknowledgedBy = ({ reports }: Counting) =>
  reports.flatMap((report) => (report.kind === 'acknowledged' ? [report] : []));

const failedBy = ({ reports }: Counting) => reports.filter((report) => report.kind === 'failed');

async function afterwards(directory: string) {
  const store = await openStore(directory, { events, projections: [sums] });
  try {
    const recorded = await store.readAll().toArray();
    const keys = recorded.map(({ idempotencyKey }) => idempotencyKey);
    return { n: (await store.get(sums, 'counter'))?.n, keys };
  } finally {
    await store.close();
  }
}

describe('four processes that add to one counter by transactions', () => {
  test('end at exactly what was acknowledged and what the log says, though one is killed and replaced', async () => {
    const directory = temporaryDirectory();
    const options = { retries: 1000, timeoutMs: 100_000 };
    const begin = (writer: string, count: number) =>
      counting({ directory, writer, count, callers: 8, options });
    const four = ['a', 'b', 'c', 'd'].map((writer) => begin(writer, 250));
    const [first] = four as [Counting];
    let seen = 0;
    await new Promise<void>((resolve) => {
      first.program.onLine(() => {
        seen += 1;
        if (seen === 100) resolve();
      });
    });
    first.program.kill('SIGKILL');
    await first.program.ended;
    const done = acknowledgedBy(first).length;
    const all = [...four, begin('e', 250 - done)];
    const endings = await Promise.all(all.map(({ program }) => program.ended));
    expect(endings.map(({ code, signal }) => signal ?? code)).toEqual(['SIGKILL', 0, 0, 0, 0]);
    expect(all.flatMap(failedBy)).toEqual([]);

    const acknowledged = all.flatMap(acknowledgedBy);
    const { n, keys } = await afterwards(directory);
    expect(acknowledged.length).toBe(1000);
    expect(new Set(keys).size).toBe(keys.length);
    expect(n).toBe(keys.length);
    const logged = new Set(keys);
    expect(acknowledged.filter(({ key }) => !logged.has(key))).toEqual([]);
    // What was not acknowledged and stands in the log, the killed process had under way.
    const told = new Set<string | undefined>(acknowledged.map(({ key }) => key));
    const untold = keys.filter((key) => !told.has(key));
    expect(untold.filter((key) => !key?.startsWith('a-'))).toEqual([]);
    expect(untold.length).toBeLessThanOrEqual(8);
    // Each saw another value: none read what another had read.
    expect(new Set(acknowledged.map(({ value }) => value)).size).toBe(acknowledged.length);
  });

  test.each([
    { callers: 1, isolation: 'serializable' },
    { callers: 4, isolation: 'serializable' },
    { callers: 4, isolation: 'snapshot' },
  ] as const)('none of $callers $isolation in each uses up its retries', async (kind) => {
    const { callers, isolation } = kind;
    const directory = temporaryDirectory();
    const four = ['a', 'b', 'c', 'd'].map((writer) =>
      counting({ directory, writer, count: 150, callers, options: { isolation } }),
    );
    await Promise.all(four.map(({ program }) => program.ended));
    expect(four.flatMap(failedBy)).toEqual([]);
    expect((await afterwards(directory)).n).toBe(600);
  });
});
