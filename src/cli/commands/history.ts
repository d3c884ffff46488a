/** `recollect history` */
import { applyPatch, type HistoryEntry, type Projection, type Store } from '../../store.js';
import { changeLines } from '../changes.js';
import type { Context } from '../context.js';
import { FINE } from '../exit-codes.js';
import { chooseFor, reading } from '../opening.js';
import { momentOf } from '../times.js';
import { notFound } from './get.js';

interface HistoryOptions {
  readonly from?: string;
  readonly to?: string;
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

interface Step {
  readonly entry: HistoryEntry;
  /** The state that the patches change. */
  readonly before: unknown;
}

async function* steps(
  store: Store,
  projection: Projection,
  key: string,
  { from, to }: HistoryOptions,
): AsyncGenerator<Step> {
  const range = {
    ...(from === undefined ? {} : { from: momentOf(from) }),
    ...(to === undefined ? {} : { to: momentOf(to) }),
  };
  let state: unknown;
  let began = from === undefined;
  for await (const entry of store.history(projection, key, range)) {
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

/** The history is folded from its beginning: the last steps are known at its end. */
async function printNewestFirst(
  context: Context,
  store: Store,
  projection: Projection,
  key: string,
  options: HistoryOptions,
): Promise<number> {
  const kept: Step[] = [];
  for await (const step of steps(store, projection, key, options)) {
    kept.push(step);
    if (options.limit !== undefined && kept.length > options.limit) kept.shift();
  }
  for (const step of kept.reverse()) await print(context, step);
  return kept.length;
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
