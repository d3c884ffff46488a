/** What is known of each document beside its words: a column for each fact, by ordinal. */
import { withRoom } from './growing.js';

/** No session, no speaker. NaN stands for no number. */
export const NONE = -1;

const BEGIN = 1024;

/** A row of the columns. */
export interface Row {
  readonly session: number;
  readonly speaker: number;
  readonly order: number;
  readonly sequence: number;
  readonly time: number;
  readonly importance: number;
  readonly life: number;
}

export class Columns {
  alive: Uint8Array = new Uint8Array(BEGIN);
  saysTime: Uint8Array = new Uint8Array(BEGIN);
  session: Int32Array = new Int32Array(BEGIN);
  speaker: Int32Array = new Int32Array(BEGIN);
  life: Int32Array = new Int32Array(BEGIN);
  order: Float64Array = new Float64Array(BEGIN);
  sequence: Float64Array = new Float64Array(BEGIN);
  time: Float64Array = new Float64Array(BEGIN);
  importance: Float64Array = new Float64Array(BEGIN);
  length: Float64Array = new Float64Array(BEGIN);

  /** Makes room for so many documents. */
  fit(room: number): void {
    if (this.alive.length >= room) return;
    this.alive = withRoom(this.alive, room);
    this.saysTime = withRoom(this.saysTime, room);
    this.session = withRoom(this.session, room);
    this.speaker = withRoom(this.speaker, room);
    this.life = withRoom(this.life, room);
    this.order = withRoom(this.order, room);
    this.sequence = withRoom(this.sequence, room);
    this.time = withRoom(this.time, room);
    this.importance = withRoom(this.importance, room);
    this.length = withRoom(this.length, room);
  }

  set(ordinal: number, row: Row): void {
    this.session[ordinal] = row.session;
    this.speaker[ordinal] = row.speaker;
    this.life[ordinal] = row.life;
    this.order[ordinal] = row.order;
    this.sequence[ordinal] = row.sequence;
    this.time[ordinal] = row.time;
    this.importance[ordinal] = row.importance;
  }

  /**
   * Which of two turns of a session comes first: below 0 when the one does, 0 when nothing tells. By order; by time where that is equal, then by sequence.
   */
  compareTurns(one: number, other: number): number {
    return (
      compareNumbers(this.order[one] as number, this.order[other] as number) ||
      compareNumbers(this.time[one] as number, this.time[other] as number) ||
      compareNumbers(this.sequence[one] as number, this.sequence[other] as number)
    );
  }

  get bytes(): number {
    const small = [this.alive, this.saysTime, this.session, this.speaker, this.life];
    const large = [this.order, this.sequence, this.time, this.importance, this.length];
    return [...small, ...large].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }
}

/** NaN is none, and comes first. */
function compareNumbers(one: number, other: number): number {
  if (one === other) return 0;
  if (Number.isNaN(one)) return Number.isNaN(other) ? 0 : -1;
  if (Number.isNaN(other)) return 1;
  return one - other;
}
