import type { RecordedEvent } from '#src/index.js';
import { deepFreeze } from '#src/log/decode.js';

/** An event as it comes out of the log, with what a test does not care about filled in. */
export function recordedEvent(
  facts: Partial<RecordedEvent> & { readonly type: string },
): RecordedEvent {
  const position = facts.position ?? 1;
  return deepFreeze({
    id: `${position}.${facts.index ?? 0}`,
    position,
    index: 0,
    last: true,
    time: '2026-01-01T00:00:00.000Z',
    stream: 'users/anna',
    version: position,
    schemaVersion: 1,
    data: null,
    ...facts,
  });
}
