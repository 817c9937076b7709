import type { Auth } from './auth.ts';
import type { Environment } from './environment.ts';
import { LiveSocket, type Channel, type SocketEvent, type Subscription } from './live-socket.ts';

const FRESH_TOKEN_MS = 60_000;

/**
 * The socket that all replicas of a client share: it is opened for the first subscription, takes more while it stands, and is closed with
 * the last one. Credentials are those of the client, so it keeps them fresh.
 */
export class LiveHub {
  private socket: LiveSocket | undefined;
  private endToken: (() => void) | undefined;

  constructor(
    private readonly url: string,
    private readonly auth: Auth,
    private readonly environment: Environment & { readonly socket: NonNullable<Environment['socket']> },
  ) {}

  /**
   * @param silenceMs of the socket, if this opens it
   * @throws what the platform throws for an address that it does not like
   */
  subscribe(subscription: Subscription, silenceMs: number, tell: (event: SocketEvent) => void): Channel {
    this.socket ??= this.opened(silenceMs);
    return this.socket.subscribe(subscription, (event) => {
      if (event.kind === 'subscribed' && !this.endToken) this.renewToken();
      tell(event);
    });
  }

  private opened(silenceMs: number): LiveSocket {
    const { environment, url } = this;
    return new LiveSocket(environment.socket(url), silenceMs, environment, () => {
      this.socket = undefined;
      this.endToken?.();
      this.endToken = undefined;
    });
  }

  private renewToken(): void {
    const { auth, environment, socket } = this;
    const ends = auth.expiresAt();
    if (ends === undefined) return;
    const ms = Math.max(1_000, ends - FRESH_TOKEN_MS - auth.serverNow());
    if (ms > 2 ** 31 - 1) return;
    this.endToken = environment.timer(ms, () => {
      void auth.token().then(
        (token) => {
          if (!socket || socket !== this.socket) return;
          socket.token(token);
          this.renewToken();
        },
        // The server closes the socket when the token ends; a reader asks again then.
        () => undefined,
      );
    });
  }
}

/** Undefined where no socket is wanted, or none can be had. */
export function liveHub(url: string | undefined, auth: Auth, environment: Environment): LiveHub | undefined {
  const { socket } = environment;
  return url === undefined || !socket ? undefined : new LiveHub(url, auth, { ...environment, socket });
}
