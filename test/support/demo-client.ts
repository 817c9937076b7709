/** A device of the demo, for tests: bearer token and JSON. */
export interface DemoClient {
  readonly token: string;
  request(method: string, path: string, body?: object): Promise<Response>;
  push(...changes: object[]): Promise<DemoResult[]>;
  /** @param query such as `collections=tasks&limit=10` */
  pull(query?: string): Promise<DemoPage>;
}

export interface DemoResult {
  doc_id: string;
  status: string;
  new_version: string | null;
  server_version: string | null;
  code?: string | null;
  error?: string | null;
}

export interface DemoPage {
  changes: {
    version: string;
    seq: number;
    collection: string;
    doc_id: string;
    operation: string;
    data: Record<string, unknown> | null;
  }[];
  last_seq: string;
  has_more: boolean;
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
      return (answer as { results: DemoResult[] }).results;
    },
    pull: async (query = '') => (await read(await request('GET', `/sync/pull?${query}`))) as DemoPage,
  };
}

async function read(answer: Response): Promise<unknown> {
  if (answer.status !== 200) throw new Error(`${String(answer.status)} ${await answer.text()}`);
  return answer.json();
}
