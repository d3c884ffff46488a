/** Stories by chance, for fast-check. */
import fc from 'fast-check';
import type { CommitPlan, PlannedPart } from './ledger.js';
import type { Step, StoryOptions } from './story.js';

/** A commit whose content is not numbered yet. */
interface Draft {
  readonly parts: readonly PlannedPart[];
  readonly checks: boolean;
  readonly key: string | undefined;
  readonly padding: number;
}

const expected = fc.oneof(
  { arbitrary: fc.constant(undefined), weight: 4 },
  { arbitrary: fc.constantFrom('absent' as const, 'exists' as const), weight: 1 },
  { arbitrary: fc.nat({ max: 5 }), weight: 2 },
);

const part = (stream: fc.Arbitrary<string>): fc.Arbitrary<PlannedPart> =>
  fc
    .record({ stream, events: fc.integer({ min: 1, max: 3 }), expected })
    .map(({ stream, events, expected }) => ({
      stream,
      events,
      ...(expected === undefined ? {} : { expectedVersion: expected }),
    }));

const draft: fc.Arbitrary<Draft> = fc.record({
  parts: fc.oneof(
    { arbitrary: part(fc.constantFrom('x/1', 'y/1')).map((only) => [only]), weight: 3 },
    {
      arbitrary: fc.tuple(part(fc.constant('x/1')), part(fc.constant('y/1'))),
      weight: 1,
    },
  ),
  checks: fc.boolean(),
  key: fc.option(fc.constantFrom('one', 'two'), { nil: undefined, freq: 3 }),
  padding: fc.constantFrom(0, 0, 0, 200, 700, 1300),
});

const writer = fc.constantFrom('a', 'a', 'b', 'b', 'a2', 'c');

type DraftStep =
  | Exclude<Step, { do: 'append' }>
  | { do: 'append'; log: string; how: 'sync' | 'async' | 'mixed'; drafts: Draft[] };

const step: fc.Arbitrary<DraftStep> = fc.oneof(
  {
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      log: writer,
      how: fc.constantFrom('sync' as const, 'async' as const, 'async' as const, 'mixed' as const),
      drafts: fc.array(draft, { minLength: 1, maxLength: 4 }),
    }),
    weight: 6,
  },
  {
    arbitrary: fc.record({
      do: fc.constantFrom('open' as const, 'close' as const),
      log: writer,
      how: fc.constantFrom('sync' as const, 'async' as const),
    }),
    weight: 2,
  },
  {
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      log: fc.constantFrom('r', 'r', 'a', 'b'),
      how: fc.constantFrom('sync' as const, 'async' as const),
    }),
    weight: 2,
  },
  { arbitrary: fc.constant({ do: 'wait' as const }), weight: 1 },
);

/**
 * With the usual window for idempotency keys some commits are tried again under their key; with one of two keys every commit is
 * another one, since a key may then be used again for new content.
 */
function numberer(window: number): (draft: Draft) => CommitPlan {
  let content = 0;
  const known: CommitPlan[] = [];
  return ({ parts, checks, key, padding }) => {
    content += 1;
    const again = known.find((plan) => plan.key === key);
    // Every third time that a key comes up it is meant for something else.
    if (key !== undefined && again && window > 2 && content % 3 !== 0) return again;
    const plan: CommitPlan = {
      content,
      parts,
      padding,
      ...(key === undefined ? {} : { key }),
      ...(checks ? { checks: [{ stream: 'z/1', expectedVersion: 'absent' as const }] } : {}),
    };
    known.push(plan);
    return plan;
  };
}

function numbered(drafts: readonly DraftStep[], window: number): Step[] {
  const number = numberer(window);
  return drafts.map((step) => {
    if (step.do !== 'append') return step;
    const { log, how } = step;
    return { do: 'append', log, how, commits: step.drafts.map(number) };
  });
}

/** So many lists of up to `longest` things, each made of a commit of its own, or of one tried before under its key. */
export function plansWith<T>(
  lists: number,
  longest: number,
  make: (plan: CommitPlan) => fc.Arbitrary<T>,
): fc.Arbitrary<T[][]> {
  const one = fc.array(draft, { minLength: 1, maxLength: longest });
  return fc.array(one, { minLength: lists, maxLength: lists }).chain((drafts) => {
    const number = numberer(100_000);
    return fc.tuple(...drafts.map((list) => fc.tuple(...list.map((each) => make(number(each))))));
  });
}

export function storiesBy(durability: 'sync' | 'os'): fc.Arbitrary<StoryOptions> {
  return fc
    .record({
      seed: fc.nat({ max: 2 ** 30 }),
      steps: fc.array(step, { minLength: 3, maxLength: 9 }),
      window: fc.constantFrom(100_000, 100_000, 2),
      skew: fc.constantFrom(0, -3000, 60_000),
    })
    .map(({ seed, steps, window, skew }) => ({
      seed,
      durability,
      idempotencyWindow: window,
      skewMs: { b: skew },
      steps: numbered(steps, window),
    }));
}
