/** A token that no server may take: the same claims, and a signature that is not theirs. */
export function forged(token: string): string {
  const [header, claims, signature] = token.split('.');
  if (header === undefined || claims === undefined || signature === undefined) return `${token}x`;
  // In the middle: the last character of base64url holds bits that do not count.
  const at = Math.floor(signature.length / 2);
  const other = signature[at] === 'A' ? 'B' : 'A';
  return `${header}.${claims}.${signature.slice(0, at)}${other}${signature.slice(at + 1)}`;
}

/** The same claims, and a header that says that no signature is needed. */
export function unsigned(token: string): string {
  const claims = token.split('.')[1] ?? '';
  const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url');
  return `${header}.${claims}.`;
}
