/**
 * The anchor: two synced slots that name a place the log must still contain. A cut behind the last anchor cannot be told
 * from a torn end, so anchors follow the log at most a second late (docs/FORMAT.md).
 */
import { checksumHolds } from './decode.js';
import type { Disk } from './disk.js';
import { finishedLine } from './encode.js';
import { ask, type Io, writeFully } from './io.js';
import type { Place } from './place.js';

export const SLOT_BYTES = 512;

export interface Anchor extends Place {
  readonly counter: number;
}

/** A slot's bytes: the line, then spaces, then an LF. */
export function encodeSlot(anchor: Anchor): Buffer {
  const body = `{"anchor":${anchor.counter},"p":${anchor.position},"segment":${anchor.segment},"offset":${anchor.offset},"seal":"${anchor.seal}"`;
  const line = finishedLine(body);
  const slot = Buffer.alloc(SLOT_BYTES, ' ');
  line.copy(slot, 0, 0, line.length - 1);
  slot[SLOT_BYTES - 1] = 0x0a;
  return slot;
}

/** The anchor in a slot's bytes, or `undefined` when they are none. */
export function decodeSlot(slot: Buffer): Anchor | undefined {
  if (slot.length !== SLOT_BYTES || slot[SLOT_BYTES - 1] !== 0x0a) return undefined;
  const end = slot.indexOf('}') + 1;
  if (end <= 0) return undefined;
  const line = Buffer.concat([slot.subarray(0, end), Buffer.from('\n')]);
  if (!checksumHolds(line, 0, line.length)) return undefined;
  const facts = JSON.parse(line.toString('utf8')) as Record<string, unknown>;
  const { anchor, p, segment, offset, seal } = facts;
  const numbers = [anchor, p, segment, offset].every(Number.isSafeInteger);
  if (!numbers || typeof seal !== 'string') return undefined;
  const decoded: Anchor = {
    counter: anchor as number,
    position: p as number,
    segment: segment as number,
    offset: offset as number,
    seal,
  };
  return encodeSlot(decoded).equals(slot) ? decoded : undefined;
}

/** The content of a new anchor file. The other slot stays zeros, which are no anchor. */
export function firstAnchor(to: Place): Buffer {
  const counter = 1;
  const { segment, offset, position, seal } = to;
  const slots = Buffer.alloc(2 * SLOT_BYTES);
  const slot = encodeSlot({ counter, segment, offset, position, seal });
  slot.copy(slots, slotOffset(counter));
  return slots;
}

function slotOffset(counter: number): number {
  return (counter % 2) * SLOT_BYTES;
}

/** The newest anchor of the file; `undefined` when neither slot holds one. */
export function* readAnchor(file: number): Io<Anchor | undefined> {
  const [first, second] = yield* readSlots(file);
  if (first && second) return first.counter > second.counter ? first : second;
  return first ?? second;
}

/** The anchors in both slots. While one of them is overwritten, or lost with the power, the other one counts. */
export function* readSlots(file: number): Io<(Anchor | undefined)[]> {
  const bytes = Buffer.alloc(2 * SLOT_BYTES);
  let filled = 0;
  while (filled < bytes.length) {
    const count = yield* ask('read', file, bytes, filled, bytes.length - filled, filled);
    if (count === 0) break;
    filled += count;
  }
  return [decodeSlot(bytes.subarray(0, SLOT_BYTES)), decodeSlot(bytes.subarray(SLOT_BYTES))];
}

/**
 * Moves the anchor to a place that is synced already. The slot that holds the newer anchor is left alone, so a crash in between
 * loses nothing. Called under the write lock.
 */
export function moveAnchor(
  disk: Disk,
  file: number,
  before: Anchor | undefined,
  to: Place,
): Anchor {
  const next: Anchor = {
    counter: (before?.counter ?? 0) + 1,
    segment: to.segment,
    offset: to.offset,
    position: to.position,
    seal: to.seal,
  };
  writeFully(disk, file, encodeSlot(next), slotOffset(next.counter));
  disk.sync(file);
  return next;
}
