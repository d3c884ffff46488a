/** What the log tells of imports: how far each came, and what it brought. */
import { createHash } from 'node:crypto';
import type { ImportMark } from '../memory/import-events.js';
import type { Memory } from '../memory/memory.js';
import type { NewEvent } from '../store.js';
import { digestsIn, type ItemSource } from './item.js';
import type { ImportSettings } from './options.js';

const ADVANCED = 'import.advanced';
export const FINISHED = 'import.finished';
const ID_DIGITS = 24;

/** How far an import came. */
export interface Reached {
  readonly mark: ImportMark;
  readonly finished: boolean;
}

/** What the log tells of one import: of one source, or of one importer's part of it. */
export class Ledger {
  readonly stream: string;
  /** Begins the idempotency keys of its commits. */
  readonly key: string;
  readonly #memory: Memory;
  /** Of the stream: nobody else may have written to it. */
  #version = 0;

  constructor(memory: Memory, { format, label }: ItemSource, { part }: ImportSettings) {
    this.#memory = memory;
    const hash = createHash('sha256')
      .update(JSON.stringify([format, label]))
      .digest('hex');
    const share = part.of === 1 ? '' : `/${part.number}-of-${part.of}`;
    const id = `${hash.slice(0, ID_DIGITS)}${share}`;
    this.stream = `imports/${id}`;
    this.key = `import/${id}`;
  }

  get version(): number {
    return this.#version;
  }

  async reached(): Promise<Reached | undefined> {
    const { engine } = this.#memory;
    this.#version = await engine.version(this.stream);
    if (this.#version === 0) return undefined;
    const last = { from: this.#version, to: this.#version };
    const [event] = await engine.readStream(this.stream, last).toArray();
    return event && { mark: event.data as ImportMark, finished: event.type === FINISHED };
  }

  /** The digests of all that was ever imported, with how often. */
  async known(): Promise<Map<string, number>> {
    const known = new Map<string, number>();
    for await (const event of this.#memory.engine.readStream(this.stream)) {
      for (const digest of digestsIn((event.data as ImportMark).keys ?? '')) {
        known.set(digest, (known.get(digest) ?? 0) + 1);
      }
    }
    return known;
  }

  /** The event that says how far the import is with this commit. */
  event(mark: ImportMark, finished: boolean): NewEvent {
    return { type: finished ? FINISHED : ADVANCED, data: mark };
  }

  /** The event stands. */
  advance(): void {
    this.#version += 1;
  }
}
