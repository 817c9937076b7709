/** More of one kind would say nothing new. */
const SHOWN = 10;
/** How much is shown around the first place in which two texts differ. */
const CONTEXT = 80;

/** What was found wrong, by subject. */
export class Findings {
  private readonly texts = new Map<string, string[]>();

  add(subject: string, text: string): void {
    const known = this.texts.get(subject);
    if (known) known.push(text);
    else this.texts.set(subject, [text]);
  }

  of(subject: string): string[] {
    const texts = this.texts.get(subject) ?? [];
    const more = texts.length - SHOWN;
    return [...texts.slice(0, SHOWN), ...(more > 0 ? [`and ${String(more)} more`] : [])];
  }
}

/** Where two texts begin to differ; undefined when they are the same. */
export function difference(got: string, expected: string): string | undefined {
  if (got === expected) return undefined;
  let at = 0;
  while (got[at] === expected[at]) at++;
  const from = Math.max(0, at - CONTEXT);
  const excerpt = (text: string): string =>
    (from > 0 ? '…' : '') + text.slice(from, at + CONTEXT) + (text.length > at + CONTEXT ? '…' : '');
  return `got ${excerpt(got)} instead of ${excerpt(expected)}`;
}
