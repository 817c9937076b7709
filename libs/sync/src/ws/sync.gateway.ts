import { IncomingMessage, type Server } from 'node:http';
import {
  Inject,
  Injectable,
  Logger,
  RequestMethod,
  type BeforeApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import { WallClock } from '../clock/wall-clock';
import { IdentityService } from '../identity/identity.service';
import { SyncMetrics } from '../metrics/metrics';
import { within } from '../database/waiting';
import { PushService } from '../push/push.service';
import { StreamService } from '../stream/stream.service';
import type { SyncExtras } from '../options/extras';
import type { SyncSettings } from '../options/settings';
import { SYNC_EXTRAS, SYNC_METRICS, SYNC_SETTINGS } from '../options/tokens';
import { Pulse } from './pulse';
import { openSocketServer, type ServerSocket, type SocketServer } from './socket-server';
import { SharedFrames } from './outbound';
import { streamPathBehind } from './upgrades';
import { SocketSession, type SessionContext } from './socket-session';

/** How long peers have to answer a close before they are cut off. */
const CLOSE_LIMIT_MS = 2_000;
const GOING_DOWN = 'The server is going down.';
/** So much above `maxPushBytes` a push is still read, to be refused by its id. Beyond it only the socket can be closed. */
const PUSH_ENVELOPE_BYTES = 1 << 20;

/**
 * The socket of the module, next to the app's own gateways. A plain provider without @WebSocketGateway: Nest would end
 * the process of an app without a WebSocket adapter, and take its sockets down before they could be told why.
 */
@Injectable()
export class SyncGateway implements OnModuleInit, BeforeApplicationShutdown {
  private readonly logger = new Logger('SyncModule');
  private readonly sessions = new Set<SocketSession>();
  private readonly context: SessionContext;
  private readonly pulse: Pulse;
  /** While the process goes down: resolves when the last socket has closed. */
  private emptied: () => void = () => undefined;
  private server: SocketServer | undefined;

  constructor(
    private readonly config: ApplicationConfig,
    private readonly http: HttpAdapterHost,
    identities: IdentityService,
    streams: StreamService,
    pushes: PushService,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_EXTRAS) private readonly extras: SyncExtras,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
    clock: WallClock,
  ) {
    const frames = new SharedFrames(setImmediate);
    const closed = (session: SocketSession): void => this.left(session);
    this.context = { identities, streams, pushes, settings, clock, logger: this.logger, frames, closed };
    this.pulse = new Pulse(this.sessions, settings.pingIntervalMs);
  }

  onModuleInit(): void {
    const http = this.httpServer();
    // An application context (a script, a worker) has no server, and nobody connects.
    if (!this.extras.stream || !http) return;
    const path = this.path();
    const options = {
      path,
      maxPayload: mostPayload(this.settings.limits),
      perMessageDeflate: false,
      // The sessions are the list of what is open.
      clientTracking: false,
    };
    this.server = openSocketServer(this.config.getIoAdapter(), options, http);
    this.server.on('connection', (socket, upgrade) => this.accept(socket, upgrade));
    this.logger.log(`The stream is a WebSocket at ${path}`);
  }

  /** Tells every client to come back to another process, once its pushes are answered. Later, Nest would have cut them off. */
  async beforeApplicationShutdown(): Promise<void> {
    this.server?.close();
    const leaving = [...this.sessions].map((session) => session.leave('restart', GOING_DOWN));
    await within(
      this.settings.shutdownTimeoutMs,
      () => Promise.all(leaving),
      () => undefined,
    );
    for (const session of this.sessions) session.close('restart', GOING_DOWN);
    if (this.sessions.size > 0)
      await within(
        CLOSE_LIMIT_MS,
        () => new Promise<void>((resolve) => (this.emptied = resolve)),
        () => undefined,
      );
    for (const session of this.sessions) session.terminate();
    this.pulse.stop();
  }

  private path(): string {
    const { exclude = [] } = this.config.getGlobalPrefixOptions();
    return streamPathBehind(this.extras, {
      prefix: this.config.getGlobalPrefix(),
      leavesOut: (path) =>
        exclude.some(
          ({ requestMethod, pathRegex }) =>
            [RequestMethod.ALL, RequestMethod.GET].includes(requestMethod) && pathRegex.test(path),
        ),
    });
  }

  private httpServer(): Server | undefined {
    const adapter = this.http.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    return adapter?.getHttpServer() as Server | undefined;
  }

  private accept(socket: ServerSocket, upgrade: unknown): void {
    try {
      if (!(upgrade instanceof IncomingMessage)) return socket.terminate();
      this.sessions.add(new SocketSession(socket, upgrade, this.context, this.pulse.join()));
      this.metrics.sockets(this.sessions.size);
    } catch (error) {
      // Thrown on, it would end the process.
      this.logger.error('A socket could not be taken', error instanceof Error ? error.stack : undefined);
      socket.terminate();
    }
  }

  private left(session: SocketSession): void {
    this.sessions.delete(session);
    this.metrics.sockets(this.sessions.size);
    if (this.sessions.size === 0) this.emptied();
  }
}

/** What the socket reads in one message, whatever it is. */
function mostPayload({ maxSocketMessageBytes, maxPushBytes }: SyncSettings['limits']): number {
  return Math.max(maxSocketMessageBytes, maxPushBytes + PUSH_ENVELOPE_BYTES);
}
