/** The moments that readers give, each fixed to one position of the log when it is given. */
import { checkedMoment, type Moment } from '../audit/moment.js';
import { PositionAheadError } from '../errors.js';
import { nextBatch } from '../log/event-sequence.js';
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import type { RecordedEvent } from '../log/types.js';

/** A moment on its way to a position. */
export class Fixed {
  readonly #log: LogInternals;
  #time: string | undefined;
  readonly #bound: number;
  #position: number | undefined;

  /**
   * The log as it is now bounds a time: what is appended later does not count, whatever its time.
   * @throws TypeError, PositionAheadError
   */
  constructor(log: LogInternals, moment: Moment) {
    const checked = checkedMoment(moment);
    this.#log = log;
    if ('position' in checked) {
      if (checked.position > log.position) log.runSync(log.freshen());
      if (checked.position > log.position)
        throw new PositionAheadError(checked.position, log.position);
      this.#position = checked.position;
      this.#time = undefined;
      this.#bound = checked.position;
      return;
    }
    if (!log.isFresh) log.runSync(log.freshen());
    this.#time = checked.time;
    this.#bound = log.position;
  }

  *position(): Io<number> {
    if (this.#position === undefined) {
      this.#position = yield* this.#log.positionAt(this.#time as string, this.#bound);
    }
    return this.#position;
  }

  /** The time that was given; of a position the time of its commit. */
  *time(): Io<string> {
    this.#time ??= yield* this.#timeOfCommit(this.#bound);
    return this.#time;
  }

  *#timeOfCommit(position: number): Io<string> {
    if (position === 0) return new Date(0).toISOString();
    const work = this.#log.readingAll({ from: position, to: position, limit: 1 })();
    const [event] = (yield* nextBatch(work)) ?? [];
    return (event as RecordedEvent).time;
  }
}
