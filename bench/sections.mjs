import * as append from './append.mjs';
import * as cost from './cost.mjs';
import * as latency from './latency.mjs';
import * as processes from './processes.mjs';
import * as scan from './scan.mjs';
import * as synchronous from './synchronous.mjs';

/** Each `{ title, measure(settings) -> { tables, checks, raw, note? } }`, by the name that `--only` takes. */
export const sections = { append, latency, synchronous, processes, scan, cost };

/** How long and how often is measured. Fewer than seven rounds decide nothing on a shared machine. */
export const settings = {
  full: {
    rounds: 7,
    warmUpMs: 300,
    measureMs: 1_000,
    callers: [1, 16, 256, 4096],
    openings: [10_000, 100_000],
  },
  quick: {
    rounds: 3,
    warmUpMs: 150,
    measureMs: 300,
    callers: [1, 16, 256, 4096],
    openings: [10_000, 100_000],
  },
  smoke: { rounds: 1, warmUpMs: 20, measureMs: 40, callers: [1, 16], openings: [50, 500] },
};
