/** The path of the bare sockets: the same as ours. */
export const SOCKETS_PATH = '/sync/stream';

export function burstPath(messages: number, bytes: number): string {
  return `/burst?messages=${String(messages)}&bytes=${String(bytes)}`;
}

export function burstOf(url: string): { messages: number; bytes: number } {
  const { searchParams } = new URL(url, 'http://localhost');
  return { messages: Number(searchParams.get('messages')), bytes: Number(searchParams.get('bytes')) };
}
