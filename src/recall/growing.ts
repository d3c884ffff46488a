/** Arrays of numbers that grow. */

type Numbers = Uint8Array | Uint32Array | Int32Array | Float64Array;

/** The same numbers with room for so many; the array itself when it has that already. */
export function withRoom<T extends Numbers>(array: T, length: number): T {
  if (array.length >= length) return array;
  const larger = new (array.constructor as new (length: number) => T)(
    Math.max(length, 2 * array.length, 4),
  );
  larger.set(array as never);
  return larger;
}
