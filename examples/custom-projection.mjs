/** Event types and a projection of your own, beside the models: what was bought, and what is left of a budget. */
import { defineEvents, defineProjection, event, openMemory } from 'recollect';

const events = defineEvents({
  'budget.set': /** @type {typeof event<{ euros: number }>} */ (event)(),
  'item.bought': /** @type {typeof event<{ what: string, euros: number }>} */ (event)(),
});

const budgets = defineProjection({
  name: 'budgets',
  version: 1,
  events,
  initial: { left: 0, bought: /** @type {string[]} */ ([]) },
  on: {
    'budget.set': (draft, { data }) => {
      draft.left = data.euros;
      draft.bought = [];
    },
    'item.bought': (draft, { data }) => {
      draft.left -= data.euros;
      draft.bought.push(data.what);
    },
  },
});

const directory = process.argv[2] ?? './example-memory';
const memory = await openMemory(directory, { actor: 'buyer', events, projections: [budgets] });
const { engine } = memory;

await engine.append('budgets/move', { type: 'budget.set', data: { euros: 500 } });

/**
 * Buys it if there is money left for it, whoever else is buying at the same time.
 * @param {string} what
 * @param {number} euros
 */
async function buy(what, euros) {
  const { changed } = await engine.command(budgets, 'budgets/move', (state) =>
    (state?.left ?? 0) < euros ? [] : [{ type: 'item.bought', data: { what, euros } }],
  );
  console.log(`${what}: ${changed ? 'bought' : 'too expensive'}`);
}

await buy('boxes', 62);
await buy('a pump', 740);
console.log(`left: ${(await engine.get(budgets, 'budgets/move'))?.left}`);
await memory.close();
