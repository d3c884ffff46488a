/** Standard output as the sink of an export: as it is on a pipe, made safe on a terminal. */
import { safeJsonText } from './escape.js';
import type { Output } from './output.js';

export function standardSink(out: Output): (lines: AsyncIterable<Buffer>) => Promise<void> {
  return async (lines) => {
    // A piece may end inside a character; a line does not.
    const decoder = new TextDecoder();
    for await (const piece of lines) {
      await out.bytes(
        out.isTerminal ? safeJsonText(decoder.decode(piece, { stream: true })) : piece,
      );
    }
  };
}
