/** Ratios of medians on a shared machine repeat to about this much; within it a miss is called a tie. */
const tie = 0.1;

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const orDash = (format) => (value) => (Number.isFinite(value) ? format(value) : '-');

export const count = orDash((value) => grouped.format(value));
export const ratio = orDash((value) => value.toFixed(2));
export const percent = orDash((value) => `${Math.round(value * 100)} %`);
export const milliseconds = orDash(
  (value) => `${value < 10 ? value.toFixed(2) : value.toFixed(1)} ms`,
);
export const nanoseconds = orDash((value) =>
  value < 10_000 ? `${grouped.format(value)} ns` : `${(value / 1_000).toFixed(1)} µs`,
);
export const microseconds = orDash((value) => `${value.toFixed(1)} µs`);

/** A ratio that should be at least the target. */
export function atLeast(what, value, target) {
  return {
    what,
    value,
    target: `>= ${target}`,
    verdict: verdict(value, value >= target, value >= target - tie),
  };
}

/** A ratio that should be at most the target. */
export function atMost(what, value, target) {
  return {
    what,
    value,
    target: `<= ${target}`,
    verdict: verdict(value, value <= target, value <= target + tie),
  };
}

/** A figure with a unit, for which there is no tie. */
export function atMostExactly(what, value, target) {
  return { what, value, target: `<= ${target}`, verdict: verdict(value, value <= target, false) };
}

function verdict(value, reached, nearly) {
  if (!Number.isFinite(value)) return 'not measured';
  if (reached) return 'pass';
  return nearly ? 'tie' : 'miss';
}

export function formatTable({ head, rows }) {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const format = (row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]),
      )
      .join('  ')
      .trimEnd();
  return [
    format(head),
    '-'.repeat(widths.reduce((sum, width) => sum + width + 2, -2)),
    ...rows.map(format),
  ].join('\n');
}

export function formatChecks(checks) {
  const rows = checks.map(({ what, value, target, verdict: said }) => [
    what,
    Number.isFinite(value) ? value.toFixed(2) : '-',
    target,
    said,
  ]);
  return formatTable({ head: ['target', 'reached', 'wanted', ''], rows });
}
