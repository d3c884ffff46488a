/**
 * Tells a story with a disk call that fails, for every call and every way to fail, and goes on once the disk is well again. Then the
 * store is checked as it is, and as a power loss leaves it: what was acknowledged by mistake is gone then.
 */
import { type Chooser, keepNewest, keepOldest, seededChooser } from './chooser.js';
import { Finder, type Findings, type Search } from './crash-search.js';
import type { CommitPlan } from './ledger.js';
import type { CallName, Fault, TracedCall } from './simulated-process.js';
import { problemsOfStore } from './store-check.js';
import { Story, type StoryOptions, type Telling } from './story.js';

/** How a call can fail. */
export interface Failure {
  /** `undefined` stands for a short count without an error. */
  readonly code: string | undefined;
  /** True: every call from then on, until the step of the story is over. */
  readonly lasting: boolean;
  /** True: the call has its whole effect and fails all the same. */
  readonly applied?: boolean;
}

const CODES = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EACCES', 'EROFS', undefined];

export const failures: readonly Failure[] = [
  ...CODES.flatMap((code) => [
    { code, lasting: false },
    { code, lasting: true },
  ]),
  { code: 'EIO', lasting: false, applied: true },
];

/** So many of the failures for each call, others for the next call. */
export function someFailures(count: number): (call: number) => readonly Failure[] {
  if (count >= failures.length) return () => failures;
  return (call) =>
    Array.from({ length: count }, (_, index) => {
      const number = (call * 5 + index * 3) % failures.length;
      return failures[number] as Failure;
    });
}

/** The first call that fails, and how. */
export interface Breakdown extends Failure {
  readonly process: string;
  readonly call: number;
  /** The kernel drops its pages meanwhile, so that what a failed sync left undone reads otherwise. */
  readonly evicts: boolean;
  /** The machine stops once the step is over, before anything could be mended. */
  readonly stops: boolean;
}

export interface FaultSearch extends Search {
  /** Which of the failures to try at a call, out of those above. Default: all. */
  readonly failuresAt?: (call: number) => readonly Failure[];
  /** Only calls for which this says so. */
  readonly calls?: (call: TracedCall) => boolean;
  /** After which of the faults the machine stops at once. Default: after every third. */
  readonly stops?: (call: number) => boolean;
}

let contents = 500_000;

/** Appends by everyone who wrote before, twice: the first one may find its log poisoned, and then it is opened again. */
function afterwards(options: StoryOptions): StoryOptions['steps'] {
  const logs = new Set(options.steps.flatMap((step) => (step.do === 'append' ? [step.log] : [])));
  return [1, 2].flatMap(() =>
    [...logs].map((log) => {
      contents += 1;
      const plan: CommitPlan = { content: contents, parts: [{ stream: 'after/1', events: 1 }] };
      return { do: 'append', log, how: 'sync', commits: [plan] } as const;
    }),
  );
}

async function tell(
  options: StoryOptions,
  { process: name, call, code, lasting, applied = false, evicts, stops }: Breakdown,
  wrap: Telling['wrap'],
): Promise<Story> {
  let lift: (() => void) | undefined;
  const isDown = (): boolean => lift !== undefined && story.process(name).calls >= call;
  const fault: Fault = { call, lasting, applied, ...(code === undefined ? {} : { code }) };
  const story: Story = new Story(options, {
    wrap,
    prepare: (process, life) => {
      if (process.name === name && life === 1) lift = process.inject(fault);
    },
    faults: isDown,
    // There a failed sync takes the mark along.
    staleReads: options.durability === 'os',
    between: () => {
      if (!isDown()) return;
      lift?.();
      lift = undefined;
      if (stops) for (const lives of story.lives.values()) for (const each of lives) each.die();
      if (evicts) story.disk.evict(seededChooser(options.seed + call));
    },
  });
  await story.tell();
  await story.close();
  return story;
}

/** Short counts are for reads and writes; to fail after its whole effect a call must have one that lasts. */
function isPossible({ code, applied }: Failure, method: CallName): boolean {
  if (applied) return LASTING_EFFECTS.has(method);
  return code !== undefined || method === 'read' || method === 'write';
}

const LASTING_EFFECTS: ReadonlySet<CallName> = new Set<CallName>([
  'write',
  'truncate',
  'sync',
  'syncDirectory',
  'makeDirectory',
  'rename',
  'remove',
]);

function choosersFor(samples: number, seed: number): Chooser[] {
  if (samples === 0) return [keepOldest];
  const seeded = Array.from({ length: samples }, (_, index) => seededChooser(seed * 100 + index));
  return [keepOldest, ...seeded, keepNewest];
}

/** Every call of the story fails once, and every call fails from one on. */
export async function searchFaults(
  options: StoryOptions,
  search: FaultSearch = {},
): Promise<Findings> {
  const finder = new Finder(search);
  const steps = [...options.steps, ...afterwards(options)];
  const whole = { ...options, steps };
  const usual = new Story(options, { wrap: search.wrap });
  await usual.tell();
  await usual.close();
  finder.add(usual.problems, { options, fault: 'none' }, usual.disk);
  const { failuresAt = () => failures, calls = () => true } = search;
  const { stops = (call) => call % 3 === 0 } = search;
  for (const traced of usual.disk.trace.filter(calls)) {
    const { process, number: call, method } = traced;
    for (const failure of failuresAt(call)) {
      if (!isPossible(failure, method)) continue;
      if (finder.isFull) return finder.findings;
      // With durability `os` a disk that drops what it could not write loses it, and nobody promised otherwise.
      const evicts = call % 2 === 0 && options.durability !== 'os';
      const breakdown: Breakdown = { process, call, ...failure, evicts, stops: stops(call) };
      const story = await tell(whole, breakdown, search.wrap);
      const where = { options: whole, breakdown, method, path: traced.path };
      finder.findings.runs += 1;
      finder.add(story.problems, where, story.disk);
      const seed = options.seed + call;
      const lost = options.durability ?? 'sync';
      for (const [state, choose] of choosersFor(search.samples ?? 0, seed).entries()) {
        finder.findings.states += 1;
        const disk = story.disk.powerLoss(choose);
        const check = { seed, lost, readFirst: call % 3 === 0 };
        const problems = await problemsOfStore(disk, story.ledger.clone(), check);
        finder.add(problems, { ...where, lost: 'power', state }, story.disk);
      }
      finder.findings.states += 1;
      const problems = await problemsOfStore(story.disk, story.ledger, { seed });
      finder.add(problems, where, story.disk);
    }
  }
  return finder.findings;
}
