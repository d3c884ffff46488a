/** Commands on sites that run at once end in the state of the log's order, with none lost. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WriteOptions } from '#src/memory/access.js';
import type { Models } from '#src/memory/models.js';
import type { SiteProfile } from '#src/memory/sites.js';
import { runAtOnce, runInOrder } from '../test/memory/support-concurrent.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';

const HOSTS = ['a.example', 'https://www.a.example/x', 'b.example:8080'];

class SiteCommand {
  readonly operation:
    | 'recordVisit'
    | 'cacheSelector'
    | 'cacheActionPattern'
    | 'recordQuirk'
    | 'getOrCreateProfile';
  readonly url: string;
  readonly rest: readonly unknown[];
  readonly sync: boolean;

  constructor(
    operation: SiteCommand['operation'],
    url: string,
    rest: readonly unknown[],
    sync: boolean,
  ) {
    this.operation = operation;
    this.url = url;
    this.rest = rest;
    this.sync = sync;
  }

  run({ sites }: Models, options: WriteOptions): unknown {
    const call = sites[this.sync ? (`${this.operation}Sync` as const) : this.operation];
    return (call as (...given: readonly unknown[]) => unknown).call(
      sites,
      this.url,
      ...this.rest,
      options,
    );
  }

  toString(): string {
    return `${this.operation}${this.sync ? 'Sync' : ''}(${this.url}, ${JSON.stringify(this.rest)})`;
  }
}

const success = fc.boolean();
const name = fc.constantFrom('login', 'search', '__proto__');
const selector = fc.constantFrom('#a', '#b', '#c');
const rests = fc.oneof(
  fc
    .record({ durationMs: fc.integer({ min: 0, max: 9 }), success }, { requiredKeys: [] })
    .map((visit) => ['recordVisit', [visit]] as const),
  fc
    .tuple(name, selector, fc.record({ success, fallbacks: fc.array(selector, { maxLength: 2 }) }))
    .map((rest) => ['cacheSelector', rest] as const),
  fc
    .tuple(name, fc.constantFrom(['x'], ['x', { y: 1 }]), fc.record({ success }))
    .map((rest) => ['cacheActionPattern', rest] as const),
  fc
    .record(
      { description: fc.constantFrom('q', 'r'), workaround: fc.constantFrom('v', 'w') },
      { requiredKeys: ['description'] },
    )
    .map((quirk) => ['recordQuirk', [quirk]] as const),
  fc.constant(['getOrCreateProfile', []] as const),
);
const command = fc
  .tuple(rests, fc.constantFrom(...HOSTS), fc.integer({ min: 0, max: 5 }))
  .map(([[operation, rest], url, chance]) => new SiteCommand(operation, url, rest, chance === 0));

async function read({ sites }: Models): Promise<(SiteProfile | undefined)[]> {
  return [await sites.getProfile('a.example'), await sites.getProfile('b.example:8080')];
}

test('whatever is written at once, sites are as if the commands had run in the order of the log', {
  timeout: timeoutMs,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 2, maxLength: 25 }), async (commands) => {
      const { committed, states } = await runAtOnce(commands, read);
      const order = committed.map((each) => each.command);
      const expected = await runInOrder(order, read);
      for (const state of states) expect(state).toEqual(expected);
      for (const operation of ['recordVisit', 'cacheSelector', 'cacheActionPattern']) {
        const made = commands.filter((each) => each.operation === operation);
        expect(order.filter((each) => each.operation === operation)).toHaveLength(made.length);
      }
      const visits = states[0]?.reduce((sum, site) => sum + (site?.visits.count ?? 0), 0);
      expect(visits).toBe(commands.filter((each) => each.operation === 'recordVisit').length);
    }),
    { numRuns: times(30), seed },
  );
});
