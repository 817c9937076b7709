import type { PullPageResponse, PushResponse, PushResult } from 'nest-offline-sync-protocol';

/** A device of the demo, for tests: bearer token and JSON. */
export interface DemoClient {
  readonly token: string;
  request(method: string, path: string, body?: object): Promise<Response>;
  push(...changes: object[]): Promise<readonly PushResult[]>;
  /** @param query such as `collections=tasks&limit=10` */
  pull(query?: string): Promise<PullPageResponse>;
}

/** Asks the demo for a token and works with it. Every answer that is not 200 throws, but for `request`. */
export async function demoClient(url: string, user_id: string, business_id: string): Promise<DemoClient> {
  const json = { 'content-type': 'application/json' };
  const { token } = (await read(
    await fetch(`${url}/auth/token`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ user_id, business_id }),
    }),
  )) as { token: string };
  const request = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body ? json : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  return {
    token,
    request,
    push: async (...changes) => {
      const answer = await read(await request('POST', '/sync/push', { client_id: 'test', changes }));
      return (answer as PushResponse).results;
    },
    pull: async (query = '') => (await read(await request('GET', `/sync/pull?${query}`))) as PullPageResponse,
  };
}

async function read(answer: Response): Promise<unknown> {
  if (answer.status !== 200) throw new Error(`${String(answer.status)} ${await answer.text()}`);
  return answer.json();
}
