/** The documented limits and defaults. All are enforced before anything is written. */

/** A stream's name, event type, actor or key: bytes of UTF-8. */
export const nameBytesMax = 200;
/** A reason: bytes of UTF-8. */
export const reasonBytesMax = 2000;
/** Streams that one commit writes or checks. */
export const commitStreamsMax = 10_000;
/** Arrays and objects inside one another. */
export const nestingMax = 128;
/** Bytes of one event's data and metadata as JSON. */
export const eventBytesDefault: number = 1024 * 1024;
/** Bytes of one commit line. */
export const commitBytesDefault: number = 8 * 1024 * 1024;
/** No option may go beyond this: readers accept lines of 64 MiB. */
export const commitBytesMax: number = 48 * 1024 * 1024;
/** Bytes waiting to be written; beyond it append waits, beyond twice it append fails. */
export const queueBytesDefault: number = 64 * 1024 * 1024;
/** A segment is closed at the first group end behind this many bytes. */
export const segmentBytesDefault: number = 16 * 1024 * 1024;
export const segmentBytesMin = 4096;
export const lockTimeoutMsDefault = 10_000;
export const idempotencyWindowDefault = 100_000;
/** One group at most, so that no caller waits for a much larger neighbour. */
export const groupBytesMax: number = 1024 * 1024;
/** How late an anchor may follow a commit. */
export const anchorDelayMs = 1000;
