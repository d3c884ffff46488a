import { expect, test } from 'vitest';
import { openMemory, UndoConflictError } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('a dry run of undo says what would be undone, or why not, and writes nothing', async () => {
  const directory = temporaryDirectory();
  const memory = await openMemory(directory);
  await memory.records.store('alice', { city: 'Bern' });
  await memory.records.store('alice', { city: 'Chur' });
  await memory.records.store('bob', 1);
  const planned = await memory.undo(3, { dryRun: true });
  expect(planned).toEqual({
    position: 3,
    undoes: 3,
    ids: ['records/bob'],
    changed: true,
    repeated: false,
  });
  await expect(memory.undo(1, { dryRun: true })).rejects.toThrow(UndoConflictError);
  await expect(memory.undo(3, { dryRun: 'yes' } as never)).rejects.toThrow('dryRun');
  expect(memory.engine.head.position).toBe(3);
  await memory.close();

  const reading = await openMemory(directory, { readOnly: true });
  expect(await reading.undo(2, { dryRun: true })).toMatchObject({ changed: true });
  await reading.close();

  const writing = await openMemory(directory);
  const undone = await writing.undo(3);
  expect(undone).toMatchObject({ position: 4, ids: planned.ids, changed: true });
  await writing.close();
});
