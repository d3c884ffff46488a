/** Ids of what a call stores. */
import { createHash, randomUUID } from 'node:crypto';

/**
 * So many new ids. With an idempotency key they follow from it, so that the same call made again asks for the same.
 * @param scope - tells calls apart that share an idempotency key
 */
export function newIds(count: number, scope: string, idempotencyKey: string | undefined): string[] {
  return Array.from({ length: count }, (_, index) =>
    idempotencyKey === undefined
      ? randomUUID()
      : uuidOf(JSON.stringify([scope, idempotencyKey, index])),
  );
}

/** A UUID of version 8: made of a hash. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`];
  return [...parts, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-');
}
