const SUSPECTS = /[\p{Surrogate}\p{Control}\ue000]/gu;

/**
 * Makes text safe for any driver: half a surrogate pair, which UTF-8 cannot hold, and NUL, at which some stop, become pairs of
 * characters that sort at the same place. So the order of code points is kept, and no two texts become one.
 */
export function safeText(text: string): string {
  return text.replace(SUSPECTS, (character) => {
    const code = character.charCodeAt(0);
    if (code === 0) return '\u0001\u0001';
    if (code === 1) return '\u0001\u0002';
    // Halves stand right before U+E000.
    if (code >= 0xd800 && code < 0xe000) return `\ue000${String.fromCharCode(code - 0xd800 + 0x100)}`;
    return code === 0xe000 ? '\ue000\uf000' : character;
  });
}
