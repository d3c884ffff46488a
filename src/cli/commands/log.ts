/** `recollect log` */
import type { RecordedEvent, Store } from '../../store.js';
import type { Context } from '../context.js';
import { eventLine } from '../event-line.js';
import { DIFFERS, FINE, INTERRUPTED, PipeClosed, WrongUse } from '../exit-codes.js';
import { eventsWithin, firstOf } from '../moments.js';
import { reading } from '../opening.js';
import { watchPipeReader } from '../pipe-reader.js';
import { momentOf } from '../times.js';

interface LogOptions {
  readonly actor?: readonly string[];
  readonly stream?: readonly string[];
  readonly type?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
  readonly reverse?: boolean;
  readonly follow?: boolean;
}

const FOLLOWED_BEFORE = 10;

export async function log(
  context: Context,
  [directory = '']: readonly string[],
  options: LogOptions,
): Promise<number> {
  if (options.follow) return await follow(context, directory, options);
  return await reading(context, directory, {}, async (store) => {
    for await (const event of eventsOf(store, options)) await print(context, event);
    return FINE;
  });
}

/** As asked for, read no further than they are taken. */
async function* eventsOf(store: Store, options: LogOptions): AsyncGenerator<RecordedEvent> {
  const { limit = Number.POSITIVE_INFINITY, reverse = false } = options;
  if (limit === 0) return;
  const direction = reverse ? 'forward' : 'backward';
  let count = 0;
  const filter = { types: options.type, streams: options.stream };
  for await (const event of eventsWithin(store, options, { ...filter, direction })) {
    if (!isBy(event, options)) continue;
    yield event;
    count += 1;
    if (count >= limit) return;
  }
}

function isBy({ actor }: RecordedEvent, options: LogOptions): boolean {
  return options.actor === undefined || options.actor.includes(actor ?? '');
}

async function print(context: Context, event: RecordedEvent): Promise<void> {
  if (context.json) await context.out.ndjson(event);
  else await context.out.line(eventLine(context, event));
}

/** The last ones, and then what comes, until Ctrl-C. */
async function follow(context: Context, directory: string, options: LogOptions): Promise<number> {
  if (options.to !== undefined || options.reverse) {
    throw new WrongUse('--follow has no end and prints oldest first: leave out --to and --reverse');
  }
  const unread = new AbortController();
  const stop = watchPipeReader(context.io.stdout, () => unread.abort());
  const signal = AbortSignal.any([context.signal, unread.signal]);
  try {
    return await reading(context, directory, {}, async (store) => {
      await printFollowed(context, store, options, signal);
      return context.isDamaged && !signal.aborted ? DIFFERS : INTERRUPTED;
    });
  } catch (error) {
    throw unread.signal.aborted ? new PipeClosed() : error;
  } finally {
    stop();
  }
}

async function printFollowed(
  context: Context,
  store: Store,
  options: LogOptions,
  signal: AbortSignal,
): Promise<void> {
  const { position } = store.head;
  const begin = options.from === undefined ? 1 : await firstOf(store, momentOf(options.from));
  const isThere = position > 0 && begin <= position;
  if (isThere) await printLast(context, store, { ...options, to: String(position) });
  await context.out.flush();
  const { type: types, stream: streams } = options;
  // Behind damage nothing can come: that ends it.
  const coming = store.subscribe({ from: position + 1, types, streams, raw: true, signal });
  for await (const event of coming) {
    if (event.position < begin || !isBy(event, options)) continue;
    await print(context, event);
    await context.out.flush();
  }
}

/** Those from a moment on, or the last few; oldest first. */
async function printLast(context: Context, store: Store, options: LogOptions): Promise<void> {
  const { from, limit = from === undefined ? FOLLOWED_BEFORE : undefined } = options;
  if (limit === undefined) {
    const forward = { ...options, reverse: true };
    for await (const event of eventsOf(store, forward)) await print(context, event);
    return;
  }
  const last: RecordedEvent[] = [];
  for await (const event of eventsOf(store, { ...options, limit })) last.push(event);
  for (const event of last.reverse()) await print(context, event);
}
