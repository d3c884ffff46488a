/** How much the property tests do: `RECOLLECT_RUNS=20` does twenty times as much as is needed for a quick answer. */
const factor = Number(process.env['RECOLLECT_RUNS'] ?? 1);
if (!(factor > 0)) throw new RangeError('RECOLLECT_RUNS must be a number above 0');

export function times(few: number): number {
  return Math.max(1, Math.round(few * factor));
}

/** One number of `many`, others with another seed; the more runs, the more of them, up to all. */
export function oneOf(many: number): (number: number) => boolean {
  const step = Math.max(1, Math.round(many / factor));
  return (number) => (number + seed) % step === 0;
}

/** For a test that does so much more; never less than the usual. */
export const timeoutMs: number = 120_000 * Math.max(1, factor);

/** Other stories and states each time when many are looked at; the same ones in every quick run. */
export const seed: number = Number(
  process.env['RECOLLECT_SEED'] ?? (factor > 1 ? Date.now() % 1e9 : 1),
);
