/** `recollect history` */
import { applyPatch, type HistoryEntry, type Projection, type Store } from '../../store.js';
import { changeLines } from '../changes.js';
import type { Context } from '../context.js';
import { FINE } from '../exit-codes.js';
import { chooseFor, reading } from '../opening.js';
import { momentOf } from '../times.js';
import { notFound } from './get.js';

interface HistoryRange {
  readonly from?: number | string;
  readonly to?: number | string;
}

interface HistoryOptions {
  readonly from?: string;
  readonly to?: string | undefined;
  readonly limit?: number;
  readonly reverse?: boolean;
  readonly projection?: string;
}

export async function history(
  context: Context,
  [directory = '', key = '']: readonly string[],
  options: HistoryOptions,
): Promise<number> {
  const chosen = await chooseFor(context, directory, { key, projection: options.projection });
  const { projection } = chosen;
  const opening = { ...chosen.options, projections: [projection] };
  return await reading(context, directory, opening, async (store) => {
    const count = options.reverse
      ? await printNewestFirst(context, store, projection, key, options)
      : await printOldestFirst(context, store, projection, key, options);
    const isWhole = options.from === undefined && options.to === undefined;
    if (count === 0 && isWhole && options.limit !== 0) {
      throw await notFound(store, projection, key);
    }
    return FINE;
  });
}

/** So many steps are in memory at once, with the states that they change. */
const PORTION_STEPS = 256;

interface Step {
  readonly entry: HistoryEntry;
  /** The state that the patches change. */
  readonly before: unknown;
}

function rangeOf({ from, to }: HistoryOptions): HistoryRange {
  return {
    ...(from === undefined ? {} : { from: momentOf(from) }),
    ...(to === undefined ? {} : { to: momentOf(to) }),
  };
}

async function* steps(
  store: Store,
  projection: Projection,
  key: string,
  options: HistoryOptions,
): AsyncGenerator<Step> {
  let state: unknown;
  let began = options.from === undefined;
  for await (const entry of store.history(projection, key, rangeOf(options))) {
    if (!began) state = await store.at(entry.event.position - 1).get(projection, key);
    began = true;
    yield { entry, before: state };
    state = applyPatch(state, entry.patches);
  }
}

async function printOldestFirst(
  context: Context,
  store: Store,
  projection: Projection,
  key: string,
  options: HistoryOptions,
): Promise<number> {
  let count = 0;
  for await (const step of steps(store, projection, key, options)) {
    if (options.limit !== undefined && count >= options.limit) break;
    await print(context, step);
    count += 1;
  }
  return count;
}

/** The history is folded from its beginning, and where its last steps are is known at its end: then they are read in portions. */
async function printNewestFirst(
  context: Context,
  store: Store,
  projection: Projection,
  key: string,
  options: HistoryOptions,
): Promise<number> {
  const { limit = Number.POSITIVE_INFINITY } = options;
  const begins = await portionsOf(store, projection, key, options);
  let { to } = options;
  let count = 0;
  for (const from of begins.reverse()) {
    const portion: Step[] = [];
    const range = { from: String(from), to };
    for await (const step of steps(store, projection, key, range)) portion.push(step);
    for (const step of portion.reverse()) {
      if (count >= limit) return count;
      await print(context, step);
      count += 1;
    }
    to = String(from - 1);
  }
  return count;
}

/** The positions at which portions of it begin, so that no more than one is in memory. */
async function portionsOf(
  store: Store,
  projection: Projection,
  key: string,
  options: HistoryOptions,
): Promise<number[]> {
  const begins: number[] = [];
  let steps = 0;
  let last = 0;
  for await (const { event } of store.history(projection, key, rangeOf(options))) {
    const isFull = begins.length === 0 || steps >= PORTION_STEPS;
    // Events of one commit stay together.
    if (isFull && event.position !== last) {
      begins.push(event.position);
      steps = 0;
    }
    steps += 1;
    last = event.position;
  }
  return begins;
}

async function print(context: Context, { entry, before }: Step): Promise<void> {
  const { out, paint } = context;
  const { event, patches } = entry;
  if (context.json) {
    await out.ndjson({ event, patches });
    return;
  }
  const { id, type, actor, reason, stream, version } = event;
  const head = [
    paint.position(id),
    paint.faint(context.time(event.time)),
    paint.actor(actor ?? '-'),
    paint.type(type),
    paint.name(`${stream}@${version}`),
  ];
  if (reason !== undefined) head.push(paint.faint(`(${reason})`));
  await out.line(head.join('  '));
  for (const line of changeLines(context, before, patches)) await out.line(`    ${line}`);
}
