/** How often the event loop comes to what else the program has to do. */
import { onTestFinished, vi } from 'vitest';

/** How often others had their turn while the work was done. */
export async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const next = (): void => {
    turns += 1;
    if (!over) setImmediate(next);
  };
  setImmediate(next);
  await work();
  over = true;
  return turns;
}

/** Never goes back, not from one test to the next either. */
let late = 0n;

/** From now on each look at the machine's clock finds that others have waited for long. */
export function everyLookIsLate(): void {
  const now = process.hrtime.bigint();
  if (late < now) late = now;
  const clock = vi.spyOn(process, 'hrtime').mockImplementation(() => {
    late += 10_000_000n;
    return [Number(late / 1_000_000_000n), Number(late % 1_000_000_000n)];
  });
  onTestFinished(() => clock.mockRestore());
}
