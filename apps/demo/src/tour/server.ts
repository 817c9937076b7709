import { TourError } from './check';

/** The running demo. */
export class Server {
  readonly prefix = process.env['SYNC_PREFIX'] ?? 'sync';
  readonly streamPath = process.env['SYNC_STREAM_PATH'] ?? `/${this.prefix}/stream`;

  constructor(readonly url: string) {}

  /** @throws TourError with the remedy when no demo runs there */
  async assertRunning(): Promise<void> {
    const answer = await fetch(`${this.url}/health`).catch(() => undefined);
    if (answer?.ok) return;
    const found = answer ? `answers /health with ${String(answer.status)}` : 'nothing answers';
    throw new TourError(
      `At ${this.url} ${found}. Start the demo in another terminal with "npm start", then run the tour again. ` +
        'A demo elsewhere: npm run demo:tour -- http://host:port',
    );
  }

  /** @throws TourError when the server gives no tokens away */
  async token(user: string, business: string): Promise<string> {
    const answer = await fetch(`${this.url}/auth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: user, business_id: business }),
    });
    if (answer.status === 404)
      throw new TourError(
        'This server gives no tokens (NODE_ENV=production). The tour needs a demo that does.',
      );
    return ((await answer.json()) as { token: string }).token;
  }
}
