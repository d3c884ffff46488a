/** Processes that are killed at each call to the disk in turn, and others that make one store at the same time. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openLog } from '#src/index.js';
import type { DyingTask } from '../support/dying-process.mjs';
import { Program, run } from '../support/programs.js';
import { SeededRandom } from '../support/random.js';
import { oneOf, times } from '../support/runs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import type { WritingReport, WritingTask } from '../support/writing-process.mjs';

const AT_ONCE = 4;

/** Does the work for some of them, a few at a time. */
async function forEachOf<T>(items: readonly T[], work: (item: T) => Promise<void>) {
  const among = oneOf(3);
  const waiting = items.filter((_, index) => among(index)).values();
  const worker = async () => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const numbersTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

interface Answer {
  readonly number: number;
  readonly position: number;
}

function answersIn(output: string): Answer[] {
  return output
    .split('\n')
    .filter((line) => line.includes('"position"'))
    .map((line) => JSON.parse(line) as Answer);
}

interface Death {
  readonly call: number;
  readonly moment: DyingTask['moment'];
}

const nameOf = ({ moment, call }: Death) => `${moment}-${call}`;

/** Every way in which such a process can die: after each call that changes something, and in the middle of each write. */
async function deathsOf(task: DyingTask): Promise<Death[]> {
  const { output, errors, code } = await run('./dying-process.mjs', { task });
  expect({ errors, code }).toEqual({ errors: '', code: 0 });
  const { calls } = JSON.parse(output.trim().split('\n').at(-1) ?? '') as { calls: string[] };
  return calls.flatMap((name, index): Death[] => {
    const call = index + 1;
    const after: Death = { call, moment: 'after' };
    return name === 'write' ? [{ call, moment: 'within' }, after] : [after];
  });
}

/** Dies at the call, then looks at what is left: all that was acknowledged, the rest whole or absent, and a log that goes on. */
async function dieAndOpen(task: DyingTask): Promise<void> {
  const { output, signal, errors } = await run('./dying-process.mjs', { task });
  expect({ signal, errors }).toEqual({ signal: 'SIGKILL', errors: '' });
  const answers = answersIn(output);
  const text = 'x'.repeat(task.textBytes);

  const log = await openLog(task.directory, { segmentBytes: 4096 });
  const before = log.readAllSync().toArray();
  for (const { number, position } of answers) {
    expect(before[position - 1]?.data).toEqual({ name: task.name, number, text });
  }
  expect(before.map(({ data }) => (data as { number: number }).number)).toEqual(
    numbersTo(before.length),
  );
  // At most the one that was under way when it died stands without an answer.
  expect(before.length - answers.length).toBeOneOf([0, 1]);

  for (const number of numbersTo(task.commits)) {
    const event = { type: 'note.taken', data: { name: task.name, number, text } };
    const options = { idempotencyKey: `${task.name}/${number}` };
    const { position, repeated } = log.appendSync('notes/dying', event, options);
    expect({ position, repeated }).toEqual({ position: number, repeated: number <= before.length });
  }
  expect((await log.verify()).ok).toBe(true);
  await log.close();
  const leftovers = readdirSync(task.directory, { recursive: true }).filter((name) =>
    String(name).endsWith('.tmp'),
  );
  expect(leftovers).toEqual([]);
}

describe('a process killed at each disk call in turn', { timeout: 110_000 }, () => {
  const options = { segmentBytes: 4096 };

  test('leaves nothing, or a store that opens, while it makes a store', async () => {
    const parent = temporaryDirectory();
    const task: DyingTask = {
      directory: join(parent, 'none', 'a', 'b'),
      from: 'opening',
      call: 0,
      moment: 'after',
      signal: 'SIGKILL',
      name: 'maker',
      commits: 0,
      textBytes: 0,
      options,
    };
    const deaths = await deathsOf(task);
    expect(deaths.length).toBeGreaterThan(10);
    await forEachOf(deaths, (death) =>
      dieAndOpen({ ...task, ...death, directory: join(parent, nameOf(death), 'a', 'b') }),
    );
  });

  test('loses nothing that was acknowledged while it appends and changes segments', async () => {
    const parent = temporaryDirectory();
    const task: DyingTask = {
      directory: join(parent, 'none'),
      from: 'appending',
      call: 0,
      moment: 'after',
      signal: 'SIGKILL',
      name: 'appender',
      commits: 4,
      textBytes: 2500,
      options,
    };
    const deaths = await deathsOf(task);
    expect(readdirSync(join(task.directory, 'log')).length).toBeGreaterThan(1);
    await forEachOf(deaths, (death) =>
      dieAndOpen({ ...task, ...death, directory: join(parent, nameOf(death)) }),
    );
  });

  test('leaves a store that opens while it opens one whose last group is torn', async () => {
    const parent = temporaryDirectory();
    const appending: DyingTask = {
      directory: join(parent, 'none'),
      from: 'appending',
      call: 0,
      moment: 'within',
      signal: 'SIGKILL',
      name: 'opener',
      commits: 2,
      textBytes: 600,
      options,
    };
    const inWrites = (await deathsOf(appending)).filter(({ moment }) => moment === 'within');
    let torn = 0;
    for (const { call } of inWrites) {
      const tear = (name: string) => tornBy({ ...appending, directory: join(parent, name), call });
      if (!(await tear(`${call}`))) continue;
      torn += 1;
      const opening = { ...appending, from: 'opening' as const, commits: 0 };
      const deaths = await deathsOf({ ...opening, directory: join(parent, `${call}`) });
      await forEachOf(deaths, async (death) => {
        const name = `${call}-${nameOf(death)}`;
        await tear(name);
        const directory = join(parent, name);
        const task = { ...opening, ...death, directory };
        expect(await run('./dying-process.mjs', { task })).toMatchObject({ signal: 'SIGKILL' });

        const log = await openLog(directory);
        const { position } = log.head;
        expect(position).toBeLessThan(2);
        expect((await log.verify()).ok).toBe(true);
        const next = await log.append('notes/after', { type: 'note.taken', data: null });
        expect(next.position).toBe(position + 1);
        await log.close();
      });
    }
    expect(torn).toBe(2);
  });
});

/** Whether a process that dies like this leaves bytes behind the end of the log. */
async function tornBy(task: DyingTask): Promise<boolean> {
  expect(await run('./dying-process.mjs', { task })).toMatchObject({ signal: 'SIGKILL' });
  const folder = join(task.directory, 'log');
  const last = readdirSync(folder).sort().at(-1) ?? '';
  const bytes = readFileSync(join(folder, last), 'utf8');
  return !bytes.endsWith('\n');
}

describe('processes that make one store at the same time', () => {
  test('make one store, whichever of them are killed', async () => {
    const random = new SeededRandom(7);
    for (let round = 0; round < times(2); round += 1) {
      const directory = join(temporaryDirectory(), 'deep', 'store');
      const answered = new Map<string, number>();
      const begin = (writer: string): Program => {
        const task: WritingTask = {
          directory,
          writer,
          first: 8,
          again: [],
          callers: 1,
          calls: random.pick(['sync', 'async'] as const),
          options: { writerThread: false },
        };
        const program = new Program('./writing-process.mjs', { task });
        program.onLine((line) => {
          const report = JSON.parse(line) as WritingReport;
          if (report.kind === 'acknowledged')
            answered.set(`${writer}/${report.number}`, report.position);
        });
        return program;
      };
      const survivors = numbersTo(3).map((number) => begin(`writer-${number}`));
      const doomed = numbersTo(4).map((number) => begin(`doomed-${number}`));
      for (const program of doomed) {
        setTimeout(() => program.kill('SIGKILL'), 25 + random.below(90));
      }
      await Promise.all(survivors.map((program) => program.line('acknowledged')));
      await Promise.all(doomed.map(({ ended }) => ended));
      for (const program of survivors) program.tell('stop');
      for (const { ended } of survivors) expect(await ended).toMatchObject({ code: 0, errors: '' });

      expect(existsSync(join(directory, 'store.json'))).toBe(true);
      const log = await openLog(directory);
      const events = await log.readAll().toArray();
      const positions = new Map(
        events.map(({ data, position }) => {
          const { writer, number } = data as { writer: string; number: number };
          return [`${writer}/${number}`, position];
        }),
      );
      for (const [name, position] of answered) expect(positions.get(name)).toBe(position);
      expect((await log.verify()).ok).toBe(true);
      await log.close();
    }
  });
});
