const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread for about that long; fractions of a millisecond count. */
export function pause(milliseconds: number): void {
  Atomics.wait(nobodyWakes, 0, 0, milliseconds);
}
