import type { RecordedEvent } from '#src/index.js';
import { deepFreeze } from '#src/log/decode.js';

/** An event as the log gives it: read from JSON, deeply frozen. */
export function eventOf(type: string, data: unknown, position = 1): RecordedEvent {
  return deepFreeze({
    id: `${position}.0`,
    position,
    index: 0,
    last: true,
    time: '2025-01-01T00:00:00.000Z',
    stream: 'stream/1',
    version: position,
    type,
    schemaVersion: 1,
    data: JSON.parse(JSON.stringify(data)) as unknown,
  });
}
