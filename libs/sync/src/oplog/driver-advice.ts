/** Driver settings that decide how long a lost primary is felt. Milliseconds. */
export interface DriverTimes {
  readonly heartbeatFrequencyMS?: number;
  readonly connectTimeoutMS?: number;
  readonly serverSelectionTimeoutMS?: number;
}

/** With these a frozen primary is left after 8 seconds; with the driver's defaults it took 34. */
export const RECOMMENDED_DRIVER_TIMES: Required<DriverTimes> = {
  heartbeatFrequencyMS: 1_000,
  connectTimeoutMS: 3_000,
  serverSelectionTimeoutMS: 10_000,
};

/** One sentence with the remedy, or undefined when a lost primary is noticed soon enough. */
export function driverAdvice(times: DriverTimes): string | undefined {
  const slow = (Object.keys(RECOMMENDED_DRIVER_TIMES) as (keyof DriverTimes)[]).filter(
    // Zero means: never gives up.
    (name) => (times[name] || Infinity) > RECOMMENDED_DRIVER_TIMES[name],
  );
  if (slow.length === 0) return undefined;
  const remedy = slow.map((name) => `${name}: ${String(RECOMMENDED_DRIVER_TIMES[name])}`).join(', ');
  return (
    `When the database's primary stops answering, requests may hang for half a minute. ` +
    `Give MongooseModule.forRoot() { ${remedy} } to get over it in seconds.`
  );
}
