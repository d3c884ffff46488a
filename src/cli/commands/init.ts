/** `recollect init` */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Durability } from '../../index.js';
import type { Context } from '../context.js';
import { FINE, INTERRUPTED, WrongUse } from '../exit-codes.js';

interface InitOptions {
  readonly durability?: Durability;
  readonly idempotencyWindow?: number;
}

export async function init(
  context: Context,
  [directory = '']: readonly string[],
  { durability, idempotencyWindow }: InitOptions,
): Promise<number> {
  const path = context.path(directory);
  if (existsSync(join(path, 'store.json')))
    throw new WrongUse(`there is a store in ${path} already`);
  const { openStore } = await import('../../store.js');
  context.signal.throwIfAborted();
  const store = await openStore(path, { ...context.access, durability, idempotencyWindow });
  const { id } = store;
  await store.close();
  const { out, paint } = context;
  if (context.json) await out.json({ directory: path, id });
  else await out.line(`${paint.name(path)} is a new store, ${id}`);
  // It is made all the same, which was said.
  return context.signal.aborted ? INTERRUPTED : FINE;
}
