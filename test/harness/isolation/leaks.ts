/**
 * Looks for secrets in what a client was sent: as text in any case, and inside runs of base64, base64url and hex (page
 * tokens, error bodies, binary fields).
 *
 * @param secrets each ends with random hex digits of one and the same number, or is a version
 * @returns the secrets that are there
 */
export function secretsIn(received: Buffer, secrets: readonly string[]): string[] {
  // By what is random in them: thousands of secrets cost no more than one.
  const byDigits = new Map<string, string>();
  const byVersion = new Map<string, string>();
  let digits = 0;
  for (const secret of secrets) {
    const random = /[0-9a-f]{18,}$/.exec(secret)?.[0];
    if (random === undefined) byVersion.set(secret.toLowerCase(), secret);
    else byDigits.set(random, secret);
    digits = random?.length ?? digits;
  }
  const found = new Set<string>();
  const text = received.toString('latin1');
  for (const view of [text.toLowerCase(), ...hidden(text)]) {
    for (const [run] of view.matchAll(/[0-9a-f]{18,}/g))
      for (let at = 0; at + digits <= run.length; at++) {
        const secret = byDigits.get(run.slice(at, at + digits));
        if (secret !== undefined) found.add(secret);
      }
    for (const [run] of view.matchAll(/\d{8}t\d{6}\.\d{3}z-\d{4}-[a-z]\d/g)) {
      const secret = byVersion.get(run);
      if (secret !== undefined) found.add(secret);
    }
  }
  return [...found];
}

function hidden(text: string): string[] {
  const views: string[] = [];
  // Any of the four positions may be where a group of base64 begins, when the run is part of something longer.
  for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{16,}/g))
    for (let shift = 0; shift < 4; shift++)
      views.push(Buffer.from(run.slice(shift), 'base64url').toString('latin1').toLowerCase());
  for (const [run] of text.matchAll(/[0-9a-fA-F]{16,}/g))
    views.push(Buffer.from(run, 'hex').toString('latin1').toLowerCase());
  return views;
}
