/**
 * Tells a story with a crash at every call to the disk, and checks what is left of the store each time.
 */
import { keepNewest, keepOldest, seededChooser } from './chooser.js';
import type { Ledger } from './ledger.js';
import { SeededRandom } from './random.js';
import type { SimulatedDisk } from './simulated-disk.js';
import type { CallName, CrashMoment, TracedCall } from './simulated-process.js';
import { problemsOfStore } from './store-check.js';
import { Story, type StoryOptions, type Telling } from './story.js';

export interface Search {
  readonly wrap?: Telling['wrap'];
  /** States of the unsynced writes to look at after each crash, besides "all lost" and "all there". */
  readonly samples?: number;
  /** Looks at all the states instead, if there are not more than this, */
  readonly statesMax?: number | undefined;
  /** with these files as they were written last. The lock file holds nothing that another boot would believe. */
  readonly still?: RegExp;
  /** Only so many of the crash points, by chance. */
  readonly crashes?: number;
  /** Stop at the first finding. Default: after a few, for a picture of them. */
  readonly findingsMax?: number;
}

export interface Findings {
  /** Stories told, and states checked after them. */
  runs: number;
  states: number;
  /** What was wrong, each with all it takes to see it again. */
  readonly problems: string[];
}

const FINDINGS_MAX = 3;

export interface Crash {
  readonly process: string;
  readonly life: number;
  readonly call: number;
  readonly moment: CrashMoment;
}

/** Calls that change what the disk holds or makes durable. After any other one a power loss leaves what it left before it. */
const CHANGING: ReadonlySet<CallName> = new Set<CallName>([
  'write',
  'truncate',
  'sync',
  'syncDirectory',
  'rename',
  'remove',
  'makeDirectory',
]);

export function changes({ method, detail }: TracedCall): boolean {
  return CHANGING.has(method) || (method === 'open' && detail === 'create');
}

export class Finder {
  readonly findings: Findings = { runs: 0, states: 0, problems: [] };
  readonly #max: number;

  constructor(search: Search) {
    this.#max = search.findingsMax ?? FINDINGS_MAX;
  }

  get isFull(): boolean {
    return this.findings.problems.length >= this.#max;
  }

  add(problems: readonly string[], where: unknown, disk?: SimulatedDisk): void {
    if (problems.length === 0) return;
    const trace = (disk?.trace ?? [])
      .slice(-15)
      .map(({ process, number, method, path, detail, outcome }) =>
        [process, number, method, path, detail, '->', outcome].join(' '),
      );
    this.findings.problems.push(
      [JSON.stringify(where), ...problems.slice(0, 5), ...trace].join('\n    '),
    );
  }
}

/** Every call of the story when nothing happens to it. */
async function callsOf(
  options: StoryOptions,
  search: Search,
  finder: Finder,
): Promise<(Crash & { readonly changes: boolean })[]> {
  const story = new Story(options, { wrap: search.wrap });
  await story.tell();
  const calls = story.disk.trace.map((traced) => ({
    process: traced.process,
    life: 1,
    call: traced.number,
    moment: 'before' as const,
    changes: changes(traced),
  }));
  finder.add(story.problems, { options, crash: 'none' }, story.disk);
  story.end();
  return calls;
}

function chosen<T>(items: readonly T[], search: Search, seed: number): readonly T[] {
  const { crashes } = search;
  if (crashes === undefined || crashes >= items.length) return items;
  const random = new SeededRandom(seed);
  return items.filter(() => random.chance(crashes / items.length));
}

function crashing(crash: Crash): NonNullable<Telling['prepare']> {
  return (process, life) => {
    if (process.name === crash.process && life === crash.life) {
      process.crashAt(crash.call, crash.moment);
    }
  };
}

/** The states that a power loss leaves now, each with a name by which it can be had again. */
function* statesOf(
  disk: SimulatedDisk,
  search: Search,
  seed: number,
): Generator<[name: string, state: SimulatedDisk]> {
  const { samples = 2, statesMax, still = /lock$/ } = search;
  if (statesMax !== undefined) {
    let number = 0;
    for (const state of disk.statesAfterPowerLoss(statesMax, (path) => !still.test(path))) {
      number += 1;
      yield [`state ${number}`, state];
    }
    return;
  }
  yield ['all lost', disk.powerLoss(keepOldest)];
  yield ['all there', disk.powerLoss(keepNewest)];
  for (let sample = 1; sample <= samples; sample += 1) {
    const choice = seed * 1000 + sample;
    yield [`seed ${choice}`, disk.powerLoss(seededChooser(choice))];
  }
}

function checkOf(options: StoryOptions, seed: number, hadPowerLoss: boolean) {
  return {
    seed,
    segmentBytes: options.segmentBytes,
    readFirst: seed % 3 === 0,
    lost: hadPowerLoss ? (options.durability ?? 'sync') : ('sync' as const),
  };
}

/** The machine stops at every call that changes something, and at the end. */
export async function searchPowerLosses(options: StoryOptions, search: Search): Promise<Findings> {
  const finder = new Finder(search);
  const calls = (await callsOf(options, search, finder)).filter(({ changes }) => changes);
  const end: Crash = { process: '', life: 0, call: 0, moment: 'before' };
  for (const crash of [...chosen(calls, search, options.seed), end]) {
    if (finder.isFull) break;
    const story = new Story(options, { wrap: search.wrap, prepare: crashing(crash) });
    await story.tell();
    finder.findings.runs += 1;
    finder.add(story.problems, { options, crash }, story.disk);
    let number = crash.call;
    for (const [state, disk] of statesOf(story.disk, search, options.seed + crash.call)) {
      number += 1;
      finder.findings.states += 1;
      const problems = await problemsOfStore(
        disk,
        story.ledger.clone(),
        checkOf(options, number, true),
      );
      finder.add(problems, { options, crash, state }, story.disk);
      if (finder.isFull) break;
    }
    story.end();
  }
  return finder.findings;
}

/**
 * A process is killed at every call, the others go on and it is started again. Then the store is looked at as it is,
 * and as a power loss leaves it.
 */
export async function searchKills(options: StoryOptions, search: Search): Promise<Findings> {
  const finder = new Finder(search);
  const calls = await callsOf(options, search, finder);
  const crashes = calls.flatMap(({ process, life, call, changes }) => {
    const moments: CrashMoment[] = changes ? ['before', 'during', 'after'] : ['before'];
    return moments.map((moment) => ({ process, life, call, moment }));
  });
  for (const crash of chosen(crashes, search, options.seed)) {
    if (finder.isFull) break;
    const telling: Telling = {
      wrap: search.wrap,
      prepare: crashing(crash),
      death: () => 'go on',
      // No kernel tears 128 bytes of one page apart. Nothing is lost even so, it only takes a writer to mend it.
      staleReads: crash.moment === 'during',
    };
    const story = new Story(options, telling);
    await story.tell();
    finder.findings.runs += 1;
    finder.add(story.problems, { options, kill: crash }, story.disk);
    story.end();
    let number = crash.call;
    for (const [state, disk] of statesOf(story.disk, search, options.seed + crash.call)) {
      number += 1;
      finder.findings.states += 1;
      const problems = await problemsOfStore(
        disk,
        story.ledger.clone(),
        checkOf(options, number, true),
      );
      finder.add(problems, { options, kill: crash, lost: 'power', state }, story.disk);
    }
    finder.findings.states += 1;
    const problems = await problemsOfStore(
      story.disk,
      story.ledger,
      checkOf(options, number, false),
    );
    finder.add(problems, { options, kill: crash }, story.disk);
  }
  return finder.findings;
}

/**
 * One process is killed, and while the others go on, or it is started again, the machine stops. `crashes` says how many
 * such pairs are tried.
 */
export async function searchKillsThenPowerLosses(
  options: StoryOptions,
  search: Search,
): Promise<Findings> {
  const finder = new Finder(search);
  const calls = await callsOf(options, search, finder);
  const random = new SeededRandom(options.seed);
  for (let pair = 0; pair < (search.crashes ?? 100) && !finder.isFull; pair += 1) {
    const at = random.below(calls.length);
    const kill: Crash = {
      ...(calls[at] as Crash),
      moment: random.pick(['before', 'during', 'after'] as const),
    };
    const later = calls.slice(at + 1).filter(({ process }) => process !== kill.process);
    const stop: Crash =
      later.length > 0 && random.chance(0.7)
        ? random.pick(later)
        : { process: kill.process, life: 2, call: 1 + random.below(90), moment: 'before' };
    const story = new Story(options, {
      wrap: search.wrap,
      prepare: (process, life) => {
        crashing(kill)(process, life);
        crashing(stop)(process, life);
      },
      death: (process, life) => (process === stop.process && life === stop.life ? 'stop' : 'go on'),
      staleReads: kill.moment === 'during',
    });
    await story.tell();
    finder.findings.runs += 1;
    finder.add(story.problems, { options, kill, stop }, story.disk);
    story.end();
    for (const [state, disk] of statesOf(story.disk, search, options.seed + pair)) {
      finder.findings.states += 1;
      const problems = await problemsOfStore(
        disk,
        story.ledger.clone(),
        checkOf(options, pair, true),
      );
      finder.add(problems, { options, kill, stop, state }, story.disk);
    }
  }
  return finder.findings;
}

/** Opens the store with a crash at that call. Gives false when the opening needed fewer calls. */
async function recoverUntil(
  disk: SimulatedDisk,
  ledger: Ledger,
  options: StoryOptions,
  crash: Pick<Crash, 'call' | 'moment'>,
  search: Search,
): Promise<{ died: boolean; story: Story }> {
  const lossy = options.durability === 'os';
  const open = { do: 'open', log: 'z', how: 'sync' } as const;
  const steps: StoryOptions['steps'] = lossy ? [open] : [open, { ...open, do: 'read' }];
  const story = new Story(
    { ...options, steps },
    { wrap: search.wrap, prepare: (process) => process.crashAt(crash.call, crash.moment), lossy },
    { disk, ledger },
  );
  const died = await story.tell();
  story.end();
  return { died, story };
}

/**
 * A power loss at some calls, then at every call of the recovery after it a second crash: of the machine, or of the recovering
 * process alone with the next one coming at once.
 */
export async function searchCrashesInRecovery(
  options: StoryOptions,
  search: Search,
): Promise<Findings> {
  const finder = new Finder(search);
  const calls = (await callsOf(options, search, finder)).filter(({ changes }) => changes);
  for (const first of chosen(calls, search, options.seed)) {
    const told = new Story(options, { wrap: search.wrap, prepare: crashing(first) });
    await told.tell();
    told.end();
    finder.findings.runs += 1;
    for (const [state] of statesOf(told.disk, { ...search, statesMax: undefined }, first.call)) {
      for (let call = 1; !finder.isFull; call += 1) {
        const seed = options.seed + first.call * 7 + call;
        const again = () => stateNamed(told.disk, state);
        const moment: CrashMoment = call % 3 === 0 ? 'during' : 'before';
        const disk = again();
        const second = { call, moment };
        const { died, story } = await recoverUntil(
          disk,
          told.ledger.clone(),
          options,
          second,
          search,
        );
        finder.findings.runs += 1;
        const where = { options, crash: first, state, second };
        finder.add(story.problems, where, disk);
        if (!died) break;
        const loss = disk.powerLoss(seededChooser(seed));
        const lost = checkOf(options, seed, true);
        finder.add(
          await problemsOfStore(loss, story.ledger.clone(), lost),
          { ...where, lost: 'power', seed },
          disk,
        );
        finder.add(
          await problemsOfStore(disk, story.ledger, {
            ...checkOf(options, seed, true),
            readFirst: false,
          }),
          { ...where, next: 'process' },
          disk,
        );
        finder.findings.states += 2;
      }
    }
  }
  return finder.findings;
}

function stateNamed(disk: SimulatedDisk, name: string): SimulatedDisk {
  if (name === 'all lost') return disk.powerLoss(keepOldest);
  if (name === 'all there') return disk.powerLoss(keepNewest);
  return disk.powerLoss(seededChooser(Number(name.slice('seed '.length))));
}
