/** Processes that change the same records and the same conversation at once, of which one is killed and replaced. */
import { expect, test } from 'vitest';
import { openMemory } from '#src/index.js';
import type { CommandingReport, CommandingTask, Counted } from '../support/commanding.mjs';
import { memoryCommand, SHARED } from '../support/memory-plan.mjs';
import { Program } from '../support/programs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const COUNT = 150;

interface Commanding {
  readonly program: Program;
  readonly reports: CommandingReport[];
}

function commanding(task: CommandingTask): Commanding {
  const program = new Program('commanding.mjs', { task });
  const reports: CommandingReport[] = [];
  program.onLine((line) => reports.push(JSON.parse(line) as CommandingReport));
  return { program, reports };
}

const acknowledgedBy = ({ reports }: Commanding) =>
  reports.flatMap((report) => (report.kind === 'acknowledged' ? [report] : []));

/** What commands come to, one after the other, done by hand. */
class ByHand {
  readonly records = new Map<string, Counted>();
  readonly said = new Set<string>();
  shared = 'shared';

  apply(writer: string, number: number): void {
    const { records, said } = this;
    const command = memoryCommand(writer, number);
    if (command.do === 'store') records.set(command.key, { count: command.count, by: {} });
    if (command.do === 'storeMany') {
      for (const key of command.keys) records.set(key, { count: command.count, by: {} });
    }
    if (command.do === 'delete') expect(records.delete(command.key)).toBe(true);
    if (command.do === 'say') said.add(command.text);
    if (command.do === 'unsay') expect(said.delete(command.text)).toBe(true);
    if (command.do === 'rephrase') this.shared = command.text;
    if (command.do !== 'update') return;
    const value = records.get(command.key) as Counted;
    value.count += 1;
    value.by[writer] = (value.by[writer] ?? 0) + 1;
  }
}

test('four processes end in the state of the order of their commits, with none lost and none done twice, though one is killed and replaced', {
  timeout: 110_000,
}, async () => {
  const directory = temporaryDirectory();
  const first = await openMemory(directory);
  const { ids } = await first.conversations.store({ ...SHARED, data: ['shared'] });
  await first.close();
  const shared = ids[0] as string;
  const begin = (writer: string) =>
    commanding({ directory, writer, count: COUNT, callers: 6, shared });

  const four = ['a', 'b', 'c', 'd'].map(begin);
  const [killed] = four as [Commanding];
  await new Promise<void>((resolve) => {
    killed.program.onLine(() => {
      if (killed.reports.length >= 40) resolve();
    });
  });
  killed.program.kill('SIGKILL');
  expect(await killed.program.ended).toMatchObject({ signal: 'SIGKILL' });
  const replacement = begin('a');
  const others = [...four.slice(1), replacement];
  for (const { program, reports } of others) {
    expect(await program.ended).toMatchObject({ code: 0, errors: '' });
    expect(reports.at(-1)).toEqual({ kind: 'ended' });
    const answered = reports.flatMap((report) => ('number' in report ? [report.number] : []));
    expect(answered.sort((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, i) => i));
    const codes = reports.flatMap((report) => (report.kind === 'refused' ? [report.code] : []));
    expect(new Set([...codes, 'MEMORY_NOT_FOUND'])).toEqual(new Set(['MEMORY_NOT_FOUND']));
  }

  await using memory = await openMemory(directory, { cacheBytes: 0 });
  const positions = new Map<string, number>();
  const byHand = new ByHand();
  for (const { last, position, idempotencyKey } of await memory.engine.readAll().toArray()) {
    if (!last || idempotencyKey === undefined) continue;
    expect(positions.has(idempotencyKey)).toBe(false);
    positions.set(idempotencyKey, position);
    const [writer, number] = idempotencyKey.split('-') as [string, string];
    byHand.apply(writer, Number(number));
  }
  for (const [index, writer] of ['a', 'b', 'c', 'd', 'a'].entries()) {
    const process = [...four, replacement][index] as Commanding;
    const changes = acknowledgedBy(process).filter(({ changed }) => changed);
    expect(changes.length).toBeGreaterThan(10);
    for (const { number, position } of changes) {
      expect(positions.get(`${writer}-${number}`)).toBe(position);
    }
  }
  // What the killed process was told of, its successor was told of as done before.
  const before = acknowledgedBy(killed).filter(({ changed }) => changed);
  const after = new Map(acknowledgedBy(replacement).map((each) => [each.number, each]));
  for (const { number, position } of before) {
    expect(after.get(number)).toMatchObject({ changed: true, repeated: true, position });
  }

  const { items } = await memory.records.list();
  const values = items.map(({ key, value }) => [key, value]);
  expect(values).toEqual([...byHand.records].sort(([a], [b]) => (a < b ? -1 : 1)));
  const texts = await memory.conversations.retrieve({ ...SHARED, limit: 10_000 });
  expect(new Set(texts.map(({ data }) => data))).toEqual(new Set([...byHand.said, byHand.shared]));
  expect(texts).toHaveLength(byHand.said.size + 1);
});
