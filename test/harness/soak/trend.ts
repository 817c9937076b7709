/** A measured value at a time, in seconds since the run began. */
export interface Point {
  readonly at: number;
  readonly value: number;
}

/** Slope of the least-squares line, in units of the value a second. 0 for fewer than two points. */
export function slope(points: readonly Point[]): number {
  const mean = (pick: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const at = mean((point) => point.at);
  const value = mean((point) => point.value);
  let above = 0;
  let below = 0;
  for (const point of points) {
    above += (point.at - at) * (point.value - value);
    below += (point.at - at) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

/** The value below which this share of the values lies; 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Median of the last third of the points over the median of the first third: 1 when nothing drifts, or of too few. */
export function drift(points: readonly Point[]): number {
  const third = Math.floor(points.length / 3);
  if (third === 0) return 1;
  const values = points.map(({ value }) => value);
  return quantile(values.slice(-third), 0.5) / quantile(values.slice(0, third), 0.5);
}
