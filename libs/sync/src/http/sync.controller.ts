import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import {
  Body,
  Get,
  Headers,
  HttpCode,
  Injectable,
  Logger,
  Post,
  Query,
  Res,
  StreamableFile,
  UseFilters,
  UseGuards,
  type BeforeApplicationShutdown,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import Negotiator from 'negotiator';
import type {
  DigestRequest,
  DocumentsRequest,
  FullRequest,
  InfoRequest,
  PullRequest,
} from 'nest-offline-sync-protocol';
import type { SyncIdentity } from '../identity/identity';
import { SyncUser } from '../identity/sync.guard';
import { encodeEnd } from '../full/lines';
import { SyncService } from '../sync.service';
import { destroyResponse, exposeHeaders, fullBody, rawResponse, sendJson, zipped } from './response';
import { describeFailure } from '../failures/failure';
import { SyncRouteFilter } from './sync-error.filter';
import { SyncRouteGuard } from './sync-route.guard';

/**
 * The HTTP transport: it carries what SyncService says and decides nothing. The module makes a subclass with the
 * route prefix of its options.
 *
 * Bodies and queries are taken as they come, so that a global ValidationPipe of the host does not touch them; answers
 * go out through the adapter, so that an interceptor of the host does not wrap them. Works on any Nest HTTP adapter.
 */
@Injectable()
@UseGuards(SyncRouteGuard)
@UseFilters(SyncRouteFilter)
export class SyncController {
  private readonly logger = new Logger('SyncModule');

  constructor(
    private readonly sync: SyncService,
    private readonly host: HttpAdapterHost,
  ) {}

  /** Takes a client's changes. */
  @Post('push')
  @HttpCode(200)
  async push(
    @SyncUser() identity: SyncIdentity,
    @Body() body: unknown,
    @Res() response: unknown,
  ): Promise<void> {
    this.answer(response, Buffer.from(JSON.stringify(await this.sync.push(identity, body))));
  }

  /** Lists the scopes that the identity may use. */
  @Get('scopes')
  async scopes(@SyncUser() identity: SyncIdentity, @Res() response: unknown): Promise<void> {
    this.answer(response, Buffer.from(JSON.stringify(await this.sync.scopes(identity))));
  }

  /** Gives what is new since a cursor. */
  @Get('pull')
  async pull(
    @SyncUser() identity: SyncIdentity,
    @Query() query: PullRequest,
    @Headers() headers: IncomingHttpHeaders,
    @Res() response: unknown,
  ): Promise<void> {
    const { body } = await this.sync.pull(identity, query);
    const zip = acceptsGzip(headers) ? await zipped(body) : undefined;
    this.host.httpAdapter.appendHeader(response, 'Vary', 'Accept-Encoding');
    if (zip) this.answer(response, zip, { 'Content-Encoding': 'gzip' });
    else this.answer(response, body);
  }

  /** Gives single documents as they stand. */
  @Get('documents')
  async documents(
    @SyncUser() identity: SyncIdentity,
    @Query() query: DocumentsRequest,
    @Res() response: unknown,
  ): Promise<void> {
    this.answer(response, Buffer.from(JSON.stringify(await this.sync.documents(identity, query))));
  }

  /** Gives counts and hashes of what the scope has. */
  @Get('digest')
  async digest(
    @SyncUser() identity: SyncIdentity,
    @Query() query: DigestRequest,
    @Res() response: unknown,
  ): Promise<void> {
    this.answer(response, Buffer.from(JSON.stringify(await this.sync.digest(identity, query))));
  }

  /** Says what a client has to know about this server. */
  @Get('info')
  async info(
    @SyncUser() identity: SyncIdentity,
    @Query() query: InfoRequest,
    @Res() response: unknown,
  ): Promise<void> {
    this.answer(response, Buffer.from(JSON.stringify(await this.sync.info(identity, query))));
  }

  /** Streams the scope's documents as they stand. */
  @Get('full')
  async full(
    @SyncUser() identity: SyncIdentity,
    @Query() query: FullRequest,
    @Headers() headers: IncomingHttpHeaders,
    @Res() response: unknown,
  ): Promise<void> {
    const { lastSeq, seq, count, nextCursor, lines } = await this.sync.full(identity, query);
    const gzip = acceptsGzip(headers);
    const body = fullBody(lines.endingWith(Buffer.from(encodeEnd(lastSeq, seq, nextCursor))), gzip);
    // Whatever becomes of the response, also if the client went away before it began.
    finished(rawResponse(response), () => body.destroy());
    exposeHeaders(response);
    this.setHeaders(response, {
      'Content-Type': 'application/x-ndjson',
      ...(gzip ? { 'Content-Encoding': 'gzip' } : {}),
      'X-Sync-LastSeq': lastSeq,
      ...(seq === undefined ? {} : { 'X-Sync-Seq': String(seq) }),
      ...(count === undefined ? {} : { 'X-Sync-Count': String(count) }),
      ...(nextCursor === undefined ? {} : { 'X-Sync-Cursor': nextCursor }),
    });
    // Added to what the host's CORS may have said.
    this.host.httpAdapter.appendHeader(response, 'Vary', 'Accept-Encoding');
    const file = new StreamableFile(body, { type: 'application/x-ndjson' })
      .setErrorHandler((error) => {
        this.logger.error(`A full resync broke off: ${describeFailure(error)}`);
        destroyResponse(response);
      })
      .setErrorLogger(() => {
        // A connection that its client has closed.
      });
    this.host.httpAdapter.reply(response, file, 200);
  }

  private answer(response: unknown, body: Buffer, more?: Readonly<Record<string, string>>): void {
    exposeHeaders(response);
    sendJson(this.host.httpAdapter, response, body, more);
  }

  private setHeaders(response: unknown, headers: Readonly<Record<string, string>>): void {
    const { httpAdapter } = this.host;
    httpAdapter.setHeader(response, 'Cache-Control', 'no-store');
    for (const [name, value] of Object.entries(headers)) httpAdapter.setHeader(response, name, value);
  }
}

function acceptsGzip(headers: IncomingHttpHeaders): boolean {
  return new Negotiator({ headers }).encoding(['gzip', 'identity']) === 'gzip';
}

/**
 * Lets a process stop whose clients never let their connections rest. Node's server waits for open connections, and
 * ends only those that nothing is asked on: a client that pulls in a loop over one connection would hold it up for
 * ever. From the moment that the app is told to stop, every answer says `Connection: close`.
 */
@Injectable()
export class LastAnswers implements BeforeApplicationShutdown {
  constructor(private readonly host: HttpAdapterHost) {}

  beforeApplicationShutdown(): void {
    // An application context without a server has no adapter.
    const server = this.host.httpAdapter?.getHttpServer() as Server | undefined;
    // Before the framework's own listener: that one may answer at once.
    server?.prependListener('request', (_: IncomingMessage, response: ServerResponse) => {
      response.setHeader('Connection', 'close');
    });
  }
}
