/** Transactions in any interleaving, held against the log afterwards: nothing dirty, nothing lost, and serializable ones are serial in log order. */
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openStore } from '#src/index.js';
import {
  events,
  type Plan,
  problemsOf,
  type Step,
  type Story,
  sums,
  tags,
  tell,
} from '../test/support/transaction-history.js';

const STREAMS = ['a', 'b', 'b/1', 'b/2', '__proto__'];
const TAGS = ['x', 'x/1', 'y'];

const open = () => openStore({ memory: true, events, projections: [sums, tags] });

const stream = fc.constantFrom(...STREAMS);
const tag = fc.constantFrom(...TAGS);
const read: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('get' as const), of: fc.constant('sums' as const), key: stream }),
  fc.record({ kind: fc.constant('get' as const), of: fc.constant('tags' as const), key: tag }),
  fc.record({
    kind: fc.constant('entries' as const),
    of: fc.constantFrom('sums' as const, 'tags' as const),
    prefix: fc.constantFrom('', 'b', 'b/', 'x/', 'none'),
  }),
  fc.record({ kind: fc.constant('version' as const), stream }),
);
const append: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('append' as const),
  stream,
  tags: fc.uniqueArray(tag, { maxLength: 2 }),
});
const steps = fc.array(fc.oneof(read, append), { minLength: 1, maxLength: 6 });

const plansOf = (isolation: fc.Arbitrary<Plan['isolation']>) =>
  fc.array(fc.record({ isolation, steps }), { minLength: 2, maxLength: 5 });

async function interleaved(plans: readonly Plan[], scheduler: fc.Scheduler) {
  const store = await open();
  try {
    const telling = plans.map((plan, id) =>
      tell(store, id, plan, () => scheduler.schedule(Promise.resolve(), `transaction ${id}`)),
    );
    const stories = await scheduler.waitFor(Promise.all(telling));
    return { stories, recorded: await store.readAll().toArray() };
  } finally {
    await store.close();
  }
}

describe('transactions in any interleaving', () => {
  test.each(['serializable', 'snapshot', 'read-committed'] as const)(
    'of isolation %s keep what that promises',
    async (isolation) => {
      await fc.assert(
        fc.asyncProperty(
          plansOf(fc.constant(isolation)),
          fc.scheduler(),
          async (plans, scheduler) => {
            const { stories, recorded } = await interleaved(plans, scheduler);
            expect(stories).toHaveLength(plans.length);
            expect(problemsOf(stories, recorded)).toEqual([]);
          },
        ),
        { numRuns: 150 },
      );
    },
  );

  test('of all isolations at once keep each its own promise', async () => {
    const any = fc.constantFrom<Plan['isolation']>('serializable', 'snapshot', 'read-committed');
    await fc.assert(
      fc.asyncProperty(plansOf(any), fc.scheduler(), async (plans, scheduler) => {
        const { stories, recorded } = await interleaved(plans, scheduler);
        expect(problemsOf(stories, recorded)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});

describe('the check of transactions', () => {
  /** Two that run in step with each other. */
  async function together(isolation: Plan['isolation'], first: Step[], second: Step[]) {
    const store = await open();
    onTestFinished(() => store.close());
    let arrived = 0;
    let go = (): void => {};
    const both = new Promise<void>((resolve) => {
      go = resolve;
    });
    // Each waits before its last step until the other has come as far; when run again, it waits no more.
    const turnOf = () => {
      let turns = 0;
      return async () => {
        turns += 1;
        if (turns !== 2) return;
        arrived += 1;
        if (arrived === 2) go();
        await both;
      };
    };
    const stories: Story[] = await Promise.all(
      [first, second].map((of, id) => tell(store, id, { isolation, steps: of }, turnOf())),
    );
    return { stories, recorded: await store.readAll().toArray() };
  }

  const reads = (key: string): Step => ({ kind: 'get', of: 'sums', key });
  const lists = (prefix: string): Step => ({ kind: 'entries', of: 'sums', prefix });
  const writes = (to: string): Step => ({ kind: 'append', stream: to, tags: [] });

  test.each<[string, Step[], Step[]]>([
    ['write skew', [reads('a'), writes('b')], [reads('b'), writes('a')]],
    ['a phantom', [lists('p/'), writes('p/1')], [lists('p/'), writes('p/2')]],
  ])('finds %s, which snapshot allows and serializable does not', async (_, first, second) => {
    const weak = await together('snapshot', first, second);
    expect(problemsOf(weak.stories, weak.recorded)).toEqual([]);
    expect(problemsOf(weak.stories, weak.recorded, 'serializable')).toHaveLength(1);
    expect(weak.stories.map(({ attempts }) => attempts.length)).toEqual([1, 1]);
    const strict = await together('serializable', first, second);
    expect(problemsOf(strict.stories, strict.recorded)).toEqual([]);
    expect(strict.stories.flatMap(({ attempts }) => attempts)).toHaveLength(3);
  });

  test('finds a lost update and reads that do not repeat, which read-committed allows', async () => {
    const update = [reads('a'), writes('a')];
    const weak = await together('read-committed', update, update);
    expect(problemsOf(weak.stories, weak.recorded)).toEqual([]);
    expect(problemsOf(weak.stories, weak.recorded, 'serializable')).toHaveLength(1);
    const strict = await together('snapshot', update, update);
    expect(problemsOf(strict.stories, strict.recorded, 'serializable')).toEqual([]);
  });

  test('finds what was never committed, and what was read but is not what stands there', async () => {
    const { stories, recorded } = await together(
      'serializable',
      [reads('a'), writes('a')],
      [reads('b')],
    );
    const [story] = stories as [Story];
    const forged = (result: unknown): Story => ({
      ...story,
      attempts: story.attempts.map((attempt) => ({
        ...attempt,
        reads: attempt.reads.map((each) => ({ ...each, result })),
      })),
    });
    expect(problemsOf([forged(12345)], recorded).length).toBeGreaterThan(0);
    expect(problemsOf([forged(12345)], recorded, 'read-committed')).toHaveLength(1);
    expect(problemsOf([story], [])).toEqual(['transaction 0: 0 commits']);
  });
});
