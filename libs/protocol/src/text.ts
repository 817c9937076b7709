/** Whether a value is a text of 1 to `maxBytes` bytes in UTF-8, without NUL and without half a surrogate pair. */
export function isShortText(value: unknown, maxBytes: number): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > maxBytes || value.includes('\0'))
    return false;
  const bytes = utf8Length(value);
  return bytes !== undefined && bytes <= maxBytes;
}

/** How many bytes a text has in UTF-8; undefined where it holds half a surrogate pair. */
export function utf8Length(text: string): number | undefined {
  let bytes = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 3;
    else {
      const next = unit < 0xdc00 ? text.charCodeAt(at + 1) : NaN;
      if (!(next >= 0xdc00 && next <= 0xdfff)) return undefined;
      bytes += 4;
      at += 1;
    }
  }
  return bytes;
}
