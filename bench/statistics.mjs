/** The value below which `share` (0..1) of the sorted numbers lie. */
export function quantile(sorted, share) {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** Median; the mean of the middle two for an even count. */
export function median(numbers) {
  const sorted = Float64Array.from(numbers).sort();
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Distance of the quartiles as a share of the median: how far a figure of this run can be trusted. */
export function spread(numbers) {
  const sorted = Float64Array.from(numbers).sort();
  return (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / median(sorted);
}

/** The list, beginning `by` places further on: so that no variant always runs after the same other one. */
export function rotated(list, by) {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
