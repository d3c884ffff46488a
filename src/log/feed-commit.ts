import { eventsIn, LineProblem, names } from './decode.js';
import { type CommitHead, Envelope, utf8 } from './envelope.js';
import { LINE_TAIL_BYTES } from './format.js';
import type { RecordedEvent } from './types.js';

/** A commit that a feed hands out. It is the same object each time: valid only during that call, except for what it returned. */
export interface FeedCommit {
  readonly position: number;
  /** ISO 8601, 24 characters. */
  readonly time: string;
  /** First position (name) of the segment that holds it. */
  readonly segment: number;
  /** Where its line begins in that segment. */
  readonly offset: number;
  /** Events in it. */
  readonly count: number;
  /** Of one event, by its place in the commit, from 0. None of these looks at the data. */
  stream(index: number): string;
  version(index: number): number;
  type(index: number): string;
  schemaVersion(index: number): number;
  /** All events, deeply frozen, as they are stored; made when first asked for. @throws StoreDamagedError */
  events(): readonly RecordedEvent[];
  /** The envelope as it is stored. */
  head(): CommitHead;
  /** Data and metadata as they are stored: `,"d":[…]` and, when there is any, `,"m":[…]`. */
  payload(): string;
}

/** A commit line where it stands in a buffer. */
export class CommitCursor implements FeedCommit {
  readonly #envelope = new Envelope();
  #buffer: Buffer = Buffer.alloc(0);
  #end = 0;
  #events: readonly RecordedEvent[] | undefined;
  /** Names of the first event, mostly the only one: they are asked for more than once. */
  #stream: string | undefined;
  #type: string | undefined;
  readonly #damaged: (problem: string) => Error;
  segment = 0;
  offset = 0;

  /** `damaged` makes the error for a line in which something is wrong. */
  constructor(damaged: (problem: string) => Error) {
    this.#damaged = damaged;
  }

  /**
   * Goes to the commit line at `[start, end)`, which was checked and stands at `offset` in the segment.
   * @throws LineProblem
   */
  moveTo(buffer: Buffer, start: number, end: number, segment: number, offset: number): void {
    this.#envelope.scan(buffer, start, end);
    this.#buffer = buffer;
    this.#end = end;
    this.#events = undefined;
    this.#stream = undefined;
    this.#type = undefined;
    this.segment = segment;
    this.offset = offset;
  }

  get position(): number {
    return this.#envelope.position;
  }

  get time(): string {
    return this.#envelope.time;
  }

  get count(): number {
    return this.#envelope.eventCount;
  }

  stream(index: number): string {
    if (index > 0) return this.#streamAt(index);
    this.#stream ??= this.#streamAt(0);
    return this.#stream;
  }

  #streamAt(index: number): string {
    const envelope = this.#envelope;
    return names.text(this.#buffer, envelope.streamStart(index), envelope.streamEnd(index));
  }

  version(index: number): number {
    return this.#envelope.version(index);
  }

  type(index: number): string {
    if (index > 0) return this.#typeAt(index);
    this.#type ??= this.#typeAt(0);
    return this.#type;
  }

  #typeAt(index: number): string {
    const envelope = this.#envelope;
    return names.text(this.#buffer, envelope.typeStart(index), envelope.typeEnd(index));
  }

  schemaVersion(index: number): number {
    return this.#envelope.schemaVersion(index);
  }

  head(): CommitHead {
    return this.#envelope.head(this.#buffer);
  }

  payload(): string {
    return utf8(this.#buffer, this.#envelope.payloadStart, this.#end - LINE_TAIL_BYTES);
  }

  events(): readonly RecordedEvent[] {
    if (this.#events) return this.#events;
    try {
      this.#events = eventsIn(this.#envelope, this.#buffer, this.#end, this);
      return this.#events;
    } catch (error) {
      // Said here already: whoever asks may take what a function of the user throws for something else.
      throw error instanceof LineProblem ? this.#damaged(error.message) : error;
    }
  }
}
