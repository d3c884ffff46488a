/**
 * Tells a story with a disk call that fails, for every call and every way to fail, and goes on once the disk is well again. Then the
 * store is checked as it is, and as a power loss leaves it: what was acknowledged by mistake is gone then.
 */
import { type Chooser, keepNewest, keepOldest, seededChooser } from './chooser.js';
import { changes, Finder, type Findings, type Search } from './crash-search.js';
import type { CommitPlan } from './ledger.js';
import { SeededRandom } from './random.js';
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
  /** The call so many calls later fails, too: what was to make up for the first failure. */
  readonly again?: number;
}

const CODES = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EACCES', 'EROFS', undefined];

export const failures: readonly Failure[] = [
  ...CODES.flatMap((code) => [
    { code, lasting: false },
    { code, lasting: true },
  ]),
  { code: 'EIO', lasting: false, applied: true },
  { code: 'EIO', lasting: false, again: 1 },
  { code: 'EIO', lasting: false, again: 2 },
  { code: undefined, lasting: false, again: 2 },
];

/** So many of the failures for each call, others for the next call. */
export function someFailures(count: number): (call: number) => readonly Failure[] {
  if (count >= failures.length) return () => failures;
  return (call) =>
    Array.from({ length: count }, (_, index) => {
      const number = (call * 7 + index * 3) % failures.length;
      return failures[number] as Failure;
    });
}

/**
 * When the machine stops after a fault: once the step is over, before anything could be mended, somewhere in the middle of mending, or at that
 * call of a process.
 */
export type Stop =
  | 'never'
  | 'at once'
  | 'soon'
  | { readonly process: string; readonly call: number };

/** The first call that fails, and how. */
export interface Breakdown extends Failure {
  readonly process: string;
  readonly call: number;
  /** The kernel drops its pages meanwhile, so that what a failed sync left undone reads otherwise. */
  readonly evicts: boolean;
  readonly stops: Stop;
}

export interface FaultSearch extends Search {
  /** Which of the failures to try at a call, out of those above. Default: all. */
  readonly failuresAt?: (call: number) => readonly Failure[];
  /** Only calls for which this says so. */
  readonly calls?: (call: TracedCall) => boolean;
  /** Default: in turn. */
  readonly stops?: (call: number) => Stop;
  /** Whether the kernel drops its pages after the fault. Default: every other time. */
  readonly evicts?: (call: number) => boolean;
}

/** Every call of the story fails, in every way that is asked for. */
export async function searchFaults(
  options: StoryOptions,
  search: FaultSearch = {},
): Promise<Findings> {
  const finder = new Finder(search);
  for (const breakdown of await breakdownsOf(options, search, finder)) {
    if (finder.isFull) break;
    await checkAfter(options, breakdown, search, finder);
  }
  return finder.findings;
}

/** The same, and at every call that changes the disk after the fault the machine stops. */
export async function searchFaultsThenCrashes(
  options: StoryOptions,
  search: FaultSearch = {},
): Promise<Findings> {
  const finder = new Finder(search);
  for (const breakdown of await breakdownsOf(options, search, finder)) {
    const { process, call } = breakdown;
    const told = await tell(withMore(options), { ...breakdown, stops: 'never' }, search.wrap);
    const { trace } = told.disk;
    const at = trace.findIndex((traced) => traced.process === process && traced.number === call);
    for (const later of trace.slice(at + 1).filter(changes)) {
      if (finder.isFull) return finder.findings;
      const stops = { process: later.process, call: later.number };
      await checkAfter(options, { ...breakdown, stops }, search, finder);
    }
  }
  return finder.findings;
}

/** The story, and then appends by everyone who wrote in it, twice: the first one may find its log poisoned, and then it is opened again. */
function withMore(options: StoryOptions): StoryOptions {
  const logs = new Set(options.steps.flatMap((step) => (step.do === 'append' ? [step.log] : [])));
  let content = 500_000;
  const more = [1, 2].flatMap(() =>
    [...logs].map((log) => {
      content += 1;
      const plan: CommitPlan = { content, parts: [{ stream: 'after/1', events: 1 }] };
      return { do: 'append', log, how: 'sync', commits: [plan] } as const;
    }),
  );
  return { ...options, steps: [...options.steps, ...more] };
}

async function breakdownsOf(
  options: StoryOptions,
  search: FaultSearch,
  finder: Finder,
): Promise<Breakdown[]> {
  const usual = new Story(options, { wrap: search.wrap });
  await usual.tell();
  await usual.close();
  finder.add(usual.problems, { options, fault: 'none' }, usual.disk);
  const { failuresAt = () => failures, calls = () => true } = search;
  const { stops = (call) => stopsInTurn[call % stopsInTurn.length] ?? 'never' } = search;
  const { evicts = (call) => call % 2 === 0 } = search;
  return usual.disk.trace.filter(calls).flatMap(({ process, number: call, method }) =>
    failuresAt(call)
      .filter((failure) => isPossible(failure, method))
      .map((failure) => ({
        process,
        call,
        ...failure,
        // With durability `os` a disk that drops what it could not write loses it, and nobody promised otherwise.
        evicts: evicts(call) && options.durability !== 'os',
        stops: stops(call),
      })),
  );
}

const stopsInTurn: readonly Stop[] = ['never', 'at once', 'soon'];

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

async function tell(
  options: StoryOptions,
  { process: name, call, code, lasting, applied = false, again, evicts, stops }: Breakdown,
  wrap: Telling['wrap'],
): Promise<Story> {
  let lift: (() => void) | undefined;
  const isDown = (): boolean => lift !== undefined && story.process(name).calls >= call;
  const fault: Fault = { call, lasting, applied, ...(code === undefined ? {} : { code }) };
  const story: Story = new Story(options, {
    wrap,
    prepare: (process, life) => {
      if (life !== 1) return;
      if (typeof stops === 'object' && stops.process === process.name) process.crashAt(stops.call);
      if (process.name !== name) return;
      const lifts = [process.inject(fault)];
      if (again !== undefined) lifts.push(process.inject({ code: 'EIO', call: call + again }));
      lift = () => {
        for (const each of lifts) each();
      };
    },
    faults: isDown,
    // There a failed sync takes the mark along.
    staleReads: options.durability === 'os',
    between: () => {
      if (!isDown()) return;
      lift?.();
      lift = undefined;
      stop(story, stops, new SeededRandom(options.seed * 1000 + call));
      if (evicts) story.disk.evict(seededChooser(options.seed + call));
    },
  });
  const isStopped = await story.tell();
  if (isStopped) story.end();
  else await story.close();
  return story;
}

function stop(story: Story, stops: Stop, random: SeededRandom): void {
  const living = [...story.lives.values()].flatMap((lives) => lives.filter(({ alive }) => alive));
  if (stops === 'at once') for (const each of living) each.die();
  if (stops !== 'soon' || living.length === 0) return;
  const last = random.pick(living);
  last.crashAt(last.calls + 1 + random.below(60), random.pick(['before', 'after']));
}

async function checkAfter(
  options: StoryOptions,
  breakdown: Breakdown,
  search: FaultSearch,
  finder: Finder,
): Promise<void> {
  const whole = withMore(options);
  const story = await tell(whole, breakdown, search.wrap);
  const where = { options: whole, breakdown };
  finder.findings.runs += 1;
  finder.add(story.problems, where, story.disk);
  const { call, stops } = breakdown;
  const seed = options.seed + call + (typeof stops === 'object' ? stops.call : 0);
  const lost = options.durability ?? 'sync';
  const samples = search.samples ?? (stops === 'soon' ? 1 : 0);
  for (const [state, choose] of choosersFor(samples, seed).entries()) {
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

function choosersFor(samples: number, seed: number): Chooser[] {
  if (samples === 0) return [keepOldest];
  const seeded = Array.from({ length: samples }, (_, index) => seededChooser(seed * 100 + index));
  return [keepOldest, ...seeded, keepNewest];
}
