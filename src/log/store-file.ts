/** store.json: what a store is. Written once, last, when the store is made; never changed. */
import { FormatTooNewError, RecollectError, StoreDamagedError, systemCode } from '../errors.js';
import { checksumHolds } from './decode.js';
import { finishedLine } from './encode.js';
import { FORMAT } from './format.js';

/** What survives a power loss once a commit is acknowledged. */
export type Durability =
  /** Everything acknowledged. */
  | 'sync'
  /** NOT what was acknowledged in the last seconds before a power loss: only a crash of the process is survived. */
  | 'os';

export interface StoreFacts {
  readonly id: string;
  /** ISO 8601. */
  readonly created: string;
  readonly durability: Durability;
  /** How many of the last commits with an idempotency key are remembered. */
  readonly idempotencyWindow: number;
}

export function encodeStoreFile(facts: StoreFacts): Buffer {
  return finishedLine(
    `{"format":${FORMAT},"id":"${facts.id}","created":"${facts.created}","durability":"${facts.durability}","idempotencyWindow":${facts.idempotencyWindow}`,
  );
}

/**
 * The facts of the store in that directory, whose file these bytes are.
 * @throws FormatTooNewError, StoreDamagedError
 */
export function storeFactsOf(bytes: Buffer, directory: string, file: string): StoreFacts {
  try {
    return decodeStoreFile(bytes, file);
  } catch (cause) {
    if (systemCode(cause) !== 'STORE_FILE_BROKEN') throw cause;
    const problem = 'it is not what was written';
    throw new StoreDamagedError({ directory, file, offset: 0, problem, cause });
  }
}

/**
 * The facts in these bytes.
 * @throws FormatTooNewError before anything else is looked at.
 * @throws RecollectError with code STORE_FILE_BROKEN when the bytes are not what was written.
 */
export function decodeStoreFile(bytes: Buffer, file: string): StoreFacts {
  const format = /^\{"format":([0-9]{1,15})[,}]/.exec(bytes.toString('latin1', 0, 32))?.[1];
  if (format !== undefined && Number(format) > FORMAT) {
    throw new FormatTooNewError(file, Number(format), FORMAT);
  }
  const broken = () => new RecollectError('STORE_FILE_BROKEN', `${file} is broken`);
  if (format === undefined || !checksumHolds(bytes, 0, bytes.length)) throw broken();
  const facts = JSON.parse(bytes.toString('utf8')) as Partial<StoreFacts>;
  const { id, created, durability, idempotencyWindow } = facts;
  if (
    typeof id !== 'string' ||
    typeof created !== 'string' ||
    (durability !== 'sync' && durability !== 'os') ||
    !Number.isSafeInteger(idempotencyWindow)
  ) {
    throw broken();
  }
  return { id, created, durability, idempotencyWindow: idempotencyWindow as number };
}
