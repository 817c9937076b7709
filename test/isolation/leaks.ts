/**
 * Looks for secrets in what a client was sent: as text in any case, and inside runs of base64, base64url and hex (page
 * tokens, error bodies, binary fields).
 *
 * @returns the secrets that are there
 */
export function secretsIn(received: Buffer, secrets: readonly string[]): string[] {
  const text = received.toString('latin1');
  const views = [text.toLowerCase(), ...hidden(text)];
  return secrets.filter((secret) => views.some((view) => view.includes(secret.toLowerCase())));
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
