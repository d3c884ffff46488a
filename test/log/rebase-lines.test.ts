/** Lines of a group that is moved: what is written at their new place is what encoding them there would have given. */
import { describe, expect, test } from 'vitest';
import { sealGroup } from '#src/log/encode.js';
import { Group, Waiting } from '#src/log/group.js';
import { encodeSingle } from '#src/log/payload.js';
import type { Place } from '#src/log/place.js';
import { rebase } from '#src/log/rebase.js';
import { SegmentWalker } from '#src/log/walk.js';

class Member extends Waiting {
  durable(): void {}
  failed(): void {}
}

const limits = { eventBytes: 1024, commitBytes: 4096 };
const base = { version: () => 0, earlier: () => undefined, blocking: () => [] };
const seal = 'ab'.repeat(32);
const storeId = 'store';

function member(stream: string): Member {
  const event = { type: 'notiert', data: 'ü', metadata: { from: stream } };
  return new Member(encodeSingle(stream, event, 'absent', {}, limits), 0, 0, undefined);
}

/** A sealed group of that many commits, each for a stream of its own, behind the place. */
function groupOf(
  prefix: string,
  count: number,
  { position }: Place,
): { group: Group; end: number } {
  const start = { position, keyed: 0, time: '' };
  const random = (bytes: number) => Buffer.alloc(bytes, prefix);
  const group = new Group(Buffer.alloc(16 * 1024), start, base, 0, random, 1);
  for (let number = 0; number < count; number += 1) group.add(member(`${prefix}/${number}`));
  return { group, end: sealGroup(group.buffer, group.bytes, seal, group).length };
}

describe('the lines of a moved group', () => {
  const largest = Number.MAX_SAFE_INTEGER - 30;
  test.each([0, 5, 97, 999_995, 2 ** 31 - 5, 2 ** 32 - 5, 9_999_999_995, largest])(
    'are found where the group says, when they were decided behind position %d',
    (position) => {
      const before: Place = { segment: 1, offset: 500, position, seal };
      const others = groupOf('others', 6, before);
      const { group } = groupOf('mine', 12, before);
      const behind = new SegmentWalker({ place: before, time: '', storeId }, {});
      behind.feed(others.group.buffer, 0, others.end, before.offset);

      const { buffer, bytes, firstPosition, lastPosition, salt, rebaseFacts } = group;
      const lines = { base: before, buffer, bytes, firstPosition, lastPosition, salt };
      const read = others.group.buffer.subarray(0, others.end);
      const moved = rebaseFacts && rebase(lines, rebaseFacts, read, behind.place, storeId);
      if (!moved) throw new Error('it was not moved');
      group.moved(moved.firstPosition, moved.bytes, moved.time);

      const { length } = sealGroup(buffer, moved.bytes, behind.place.seal, { ...moved, salt });
      const found: unknown[] = [];
      const walker = new SegmentWalker(
        { place: behind.place, time: behind.time, storeId },
        {
          commit: ({ head, offset }) => found.push([head.p, offset - behind.place.offset, head.e]),
        },
      );
      walker.feed(buffer, 0, length, behind.place.offset);
      expect(walker.place.position).toBe(position + 18);
      expect(found).toEqual(
        group.members.map(({ position, offset, commit }) => [
          position,
          offset,
          [[commit.streams[0], 1, 'notiert']],
        ]),
      );
    },
  );
});
