/** `recollect append` */
import { addAbortSignal } from 'node:stream';
import { modelNamed } from '../../memory/definitions.js';
import type { ExpectedVersion, NewEvent, StoreOptions } from '../../store.js';
import { loadConfig } from '../config.js';
import type { Context } from '../context.js';
import { FINE, WrongUse } from '../exit-codes.js';
import { actorOf, given, jsonFrom } from '../input.js';
import { categoryOf } from '../opening.js';

interface AppendOptions {
  readonly actor?: string;
  readonly reason?: string;
  readonly metadata?: string;
  readonly expectedVersion?: string;
  readonly idempotencyKey?: string;
  readonly correlationId?: string;
  readonly causationId?: string;
}

const INPUT_BYTES_MAX = 64 * 1024 * 1024;

export async function append(
  context: Context,
  [directory = '', stream = '', type, data]: readonly string[],
  options: AppendOptions,
): Promise<number> {
  const events =
    type === undefined ? await eventsFrom(context, options) : [eventOf(type, data, options)];
  const { openStore } = await import('../../store.js');
  const store = await openStore(context.path(directory), {
    ...(await schemasFor(context, directory, stream, events)),
    ...context.access,
    create: false,
    compaction: false,
  });
  try {
    const { reason, idempotencyKey, correlationId, causationId } = options;
    const appended = await store.append(stream, events, {
      ...given({ actor: actorOf(context, options.actor), reason, idempotencyKey }),
      ...given({ correlationId, causationId }),
      ...given({ expectedVersion: versionOf(options.expectedVersion) }),
      signal: context.signal,
    });
    const { out, paint } = context;
    if (context.json) await out.json(appended);
    else {
      const { position, version, repeated } = appended;
      const how = repeated ? ', as it was before: nothing new was written' : '';
      await out.line(
        `position ${paint.position(String(position))}, ${paint.name(`${stream}@${version}`)}${how}`,
      );
    }
    return FINE;
  } finally {
    await store.close();
  }
}

/** Types that are declared are checked as everywhere: those of the config file and, beside them, those of the stream's model. Others go as they are. */
async function schemasFor(
  context: Context,
  directory: string,
  stream: string,
  events: readonly NewEvent[],
): Promise<Pick<StoreOptions, 'events' | 'upcasters'>> {
  const { events: own, upcasters } = await loadConfig(context, directory);
  const model = await modelNamed(categoryOf(stream));
  const isOfModel = events.every(
    ({ type }) => model?.events.types.includes(type) && !Object.hasOwn(own?.map ?? {}, type),
  );
  if (model && isOfModel) return { events: model.events };
  return own ? given({ events: own, upcasters }) : {};
}

function eventOf(type: string, data: string | undefined, options: AppendOptions): NewEvent {
  const { metadata } = options;
  return {
    type,
    data: data === undefined ? null : jsonFrom(data, 'the data'),
    ...(metadata === undefined ? {} : { metadata: jsonFrom(metadata, '--metadata') }),
  };
}

async function eventsFrom(context: Context, { metadata }: AppendOptions): Promise<NewEvent[]> {
  const { stdin, signal } = context.io;
  if (metadata !== undefined) throw new WrongUse('--metadata goes with a type');
  if (stdin.isTTY) throw new WrongUse('say the type of the event, or hand events in on a pipe');
  const pieces: Buffer[] = [];
  let bytes = 0;
  // Whoever sends nothing must not keep Ctrl-C waiting.
  for await (const piece of addAbortSignal(signal, stdin)) {
    const buffer = typeof piece === 'string' ? Buffer.from(piece) : (piece as Buffer);
    bytes += buffer.length;
    if (bytes > INPUT_BYTES_MAX) throw new WrongUse('that is too much for one commit: import it');
    pieces.push(buffer);
  }
  const lines = textOf(Buffer.concat(pieces)).split('\n');
  return lines
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '')
    .map(({ line, number }) => eventFrom(line, `line ${number}`));
}

/** Bytes that are no text would be stored as other characters. */
function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new WrongUse('standard input is no UTF-8', { cause: error });
  }
}

/** What else an event must be is checked where it is appended. */
function eventFrom(line: string, where: string): NewEvent {
  const value = jsonFrom(line, where);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as NewEvent;
  }
  throw new WrongUse(`${where} is no event: an object with type and data is expected`);
}

function versionOf(text: string | undefined): ExpectedVersion | undefined {
  if (text === undefined || text === 'absent' || text === 'exists' || text === 'any') return text;
  if (/^\d+$/.test(text)) return Number(text);
  throw new WrongUse('--expected-version must be a whole number, absent or exists');
}
