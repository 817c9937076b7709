import type { FetchAnswer } from '../environment.ts';

export function json(body: object, headers: Readonly<Record<string, string>>): FetchAnswer {
  return answerOf(200, JSON.stringify(body), headers);
}

export function failure(status: number, code: string, message: string, more: object = {}): FetchAnswer {
  return answerOf(status, JSON.stringify({ statusCode: status, code, message, ...more }), {});
}

export function answerOf(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): FetchAnswer {
  return {
    status,
    headers: { get: (name) => headers[name.toLowerCase()] ?? null },
    text: () => Promise.resolve(text),
  };
}

export function parameters(query: string): Record<string, string> {
  return Object.fromEntries(
    query
      .split('&')
      .filter((part) => part !== '')
      .map((part) => {
        const [name = '', value = ''] = part.split('=');
        return [name, decodeURIComponent(value)];
      }),
  );
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** RFC 4648, section 5, of ASCII text. */
export function base64url(text: string): string {
  let bits = '';
  for (const char of text) bits += char.charCodeAt(0).toString(2).padStart(8, '0');
  return (bits.match(/.{1,6}/g) ?? []).map((six) => LETTERS[parseInt(six.padEnd(6, '0'), 2)]).join('');
}
