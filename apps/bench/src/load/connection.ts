import { Client, type Dispatcher } from 'undici';

/** A request ready to be sent: nothing is built in the timed region. */
export interface Prepared {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: Buffer;
}

/** A request and its answer, as raw bytes: they are read outside the timed region. */
export interface Exchange {
  readonly request: Prepared;
  /** 0: no answer, or none within the limit. */
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: readonly Buffer[];
  /** performance.now() when it was sent. */
  readonly sentAt: number;
  /** Until the first byte of the body, in ms; NaN without a body. */
  readonly firstByteMs: number;
  /** Until the end of the answer, in ms. */
  readonly ms: number;
}

/** One device's keep-alive connection; one request after another. */
export class Connection {
  private readonly client: Client;

  /** @param limitMs how long an answer may pause: a peer that hangs must not hold up the benchmark */
  constructor(
    url: string,
    private readonly limitMs = 30_000,
  ) {
    this.client = new Client(url, {
      pipelining: 1,
      headersTimeout: limitMs,
      bodyTimeout: limitMs,
      keepAliveTimeout: 60_000,
    });
  }

  send(request: Prepared): Promise<Exchange> {
    return new Promise((resolve) => {
      const sentAt = performance.now();
      const body: Buffer[] = [];
      let status = 0;
      let headers: Exchange['headers'] = {};
      let firstByteMs = NaN;
      const end = (answered: number): void => {
        resolve({
          request,
          status: answered,
          headers,
          body,
          sentAt,
          firstByteMs,
          ms: performance.now() - sentAt,
        });
      };
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, code, fields) => {
          status = code;
          headers = fields;
        },
        onResponseData: (_controller, chunk) => {
          if (body.length === 0) firstByteMs = performance.now() - sentAt;
          body.push(chunk);
        },
        onResponseEnd: () => end(status),
        onResponseError: () => end(0),
      };
      this.client.dispatch(
        {
          method: request.method,
          path: request.path,
          headers: request.headers,
          body: request.body ?? null,
          headersTimeout: this.limitMs,
        },
        handler,
      );
    });
  }

  async close(): Promise<void> {
    await this.client.destroy();
  }
}

export function textOf({ body }: Exchange): string {
  return Buffer.concat(body).toString('utf8');
}
