/** Names of GET /sync/info. A server without that route has none of them. */
export type Features = ReadonlySet<string>;

export const noFeatures: Features = new Set();
