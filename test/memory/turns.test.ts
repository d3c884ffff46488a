/** Calls that write much, on a memory that waits for no disk: everything else that the program does goes on meanwhile. */
import { describe, expect, test } from 'vitest';
import { everyLookIsLate, turnsDuring } from '../support/turns.js';
import { opened } from './support-memory.js';

/** Of a hundred portions: the first look in a turn is where it begins. */
const TURNS = 49;

/** Each agent's own records. */
function recordsOf(agent: number, count: number) {
  return Array.from({ length: count }, (_, item) => ({ key: `${agent}-${item}`, value: { item } }));
}

describe('others have their turn', () => {
  test('while ten agents store a hundred records each', async () => {
    const { memory } = await opened('memory:');
    everyLookIsLate();
    const agents = Array.from({ length: 10 }, (_, agent) => recordsOf(agent, 100));
    const turns = await turnsDuring(() =>
      Promise.all(agents.map((records) => memory.records.storeMany(records))),
    );
    expect(turns).toBeGreaterThanOrEqual(TURNS);
    expect(await memory.records.get('9-99')).toMatchObject({ value: { item: 99 } });
  });

  test('while a transaction stores a hundred records', async () => {
    const { memory } = await opened('memory:');
    everyLookIsLate();
    const turns = await turnsDuring(() =>
      memory.transaction(({ records }) => records.storeMany(recordsOf(1, 100))),
    );
    expect(turns).toBeGreaterThanOrEqual(TURNS);
  });

  test('while a graph takes a hundred entities, in a transaction and by itself', async () => {
    const { memory } = await opened('memory:');
    const entities = Array.from({ length: 100 }, (_, item) => ({
      name: `${item}`,
      entityType: 'thing',
      observations: [],
    }));
    everyLookIsLate();
    const alone = await turnsDuring(() => memory.graph.createEntities(entities));
    expect(alone).toBeGreaterThanOrEqual(TURNS);
    const again = entities.map((entity) => ({ ...entity, name: `again ${entity.name}` }));
    const together = await turnsDuring(() =>
      memory.transaction(({ graph }) => graph.createEntities(again)),
    );
    expect(together).toBeGreaterThanOrEqual(TURNS);
  });
});
