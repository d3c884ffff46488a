import { join } from 'node:path';

/**
 * A put of lmdb may be acknowledged when it is visible; durable is what its `flushed` promise tells. Without `overlappingSync`
 * the two are one: data synced, then the meta page through a descriptor that syncs. That is as durable as awaiting `flushed` of
 * an overlapped put and faster at every number of callers, so it stands for lmdb here. Values are JSON text as in every other
 * variant; integer keys in rising order are its cheapest case.
 */
export const variants = { 'lmdb, flushed': openFlushed };

async function openFlushed(directory) {
  const { open } = await import('lmdb');
  const database = open({
    path: join(directory, 'store'),
    encoding: 'string',
    keyEncoding: 'uint32',
    overlappingSync: false,
    separateFlushed: true,
  });
  let key = 0;
  return {
    append: (event) => database.put(++key, JSON.stringify(event)).flushed,
    appendSync: (event) => database.putSync(++key, JSON.stringify(event)),
    close: () => database.close(),
  };
}
