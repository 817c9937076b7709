import { createHash } from 'node:crypto';
import { Logger, type LogLevel, type ModuleMetadata } from '@nestjs/common';
import { MongooseModule, type ModelDefinition } from '@nestjs/mongoose';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import mongoose, { type ConnectOptions, type mongo } from 'mongoose';
import {
  SyncModule,
  SyncService,
  type LogChange,
  type PushResult,
  type SyncOptions,
} from 'nest-offline-sync';
import { Registry } from 'prom-client';
import { WallClock } from '../../libs/sync/src/clock/wall-clock';
import { OplogRepository } from '../../libs/sync/src/log/oplog';
import type { FixedWallClock } from '../../libs/sync/src/testing';
import { inSeconds, testToken } from './jwt';

export const SECRET = 'a secret of these tests that is long enough';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined when it is none. */
  readonly body: unknown;
}

/** The whole module behind a listening server, with real tokens; what it says to logs and metrics can be read. */
export interface HttpApp {
  readonly url: string;
  readonly db: mongo.Db;
  readonly client: mongo.MongoClient;
  readonly registry: Registry;
  readonly sync: SyncService;
  readonly logs: readonly string[];
  as(scope: string, actor?: string, clientId?: string): Device;
  /** A request as raw as a test wants it. */
  send(path: string, init?: RequestInit): Promise<HttpAnswer>;
  close(): Promise<void>;
}

export interface HttpAppOptions {
  readonly options?: Partial<SyncOptions>;
  readonly client?: ConnectOptions;
  readonly models?: ModelDefinition[];
  readonly providers?: ModuleMetadata['providers'];
  readonly stream?: boolean;
  /** Replaces the wall clock, so that versions can be predicted. */
  readonly clock?: FixedWallClock;
}

export async function startHttpApp(uri: string, given: HttpAppOptions = {}): Promise<HttpApp> {
  const logs: string[] = [];
  const note = (...words: unknown[]): void => void logs.push(words.map(String).join(' '));
  const levels: Record<LogLevel, typeof note> = {
    log: note,
    warn: note,
    error: note,
    fatal: note,
    debug: note,
    verbose: note,
  };
  const registry = new Registry();
  const building = Test.createTestingModule({
    imports: [
      MongooseModule.forRoot(uri, { ...given.client }),
      MongooseModule.forFeature(given.models ?? []),
      SyncModule.forRoot({
        stream: given.stream ?? false,
        trimIntervalMs: 0,
        jwt: { secret: SECRET, issuer: 'https://id.example' },
        actorIdField: 'user_id',
        scopeIdField: 'business_id',
        metricsRegistry: registry,
        ...given.options,
      }),
    ],
    providers: given.providers ?? [],
  });
  if (given.clock) building.overrideProvider(WallClock).useValue(given.clock);
  const testing = await building.compile();
  const app = testing.createNestApplication<NestExpressApplication>({ bodyParser: false });
  app.useBodyParser('json', { limit: '8mb' });
  // As hosts may have it: `a[b]=c` becomes an object.
  app.set('query parser', 'extended');
  app.useWebSocketAdapter(new WsAdapter(app));
  Logger.overrideLogger(levels);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const { db, client } = app.get(OplogRepository, { strict: false });
  const send: HttpApp['send'] = async (path, init) => {
    const response = await fetch(`${url}${path}`, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parsed(text) };
  };
  return {
    url,
    db,
    client,
    registry,
    logs,
    sync: app.get(SyncService),
    send,
    as: (scope, actor = 'ann', clientId?: string) => new Device(send, scope, actor, clientId),
    close: () => app.close(),
  };
}

export interface Pulled {
  readonly changes: LogChange[];
  readonly last_seq: string;
  readonly seq: number;
  readonly has_more: boolean;
}

/** A signed-in device. Keeps every byte that it was answered, headers too. */
export class Device {
  readonly received: string[] = [];
  readonly token: string;

  constructor(
    private readonly transport: HttpApp['send'],
    readonly scope: string,
    actor: string,
    readonly clientId = 'device',
  ) {
    const payload = {
      iss: 'https://id.example',
      user_id: actor,
      business_id: scope,
      exp: inSeconds(600),
    };
    this.token = testToken({ payload, key: SECRET });
  }

  async send(path: string, body?: string): Promise<HttpAnswer> {
    const headers = { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' };
    const answer = await this.transport(path, {
      headers,
      ...(body === undefined ? {} : { method: 'POST', body }),
    });
    this.received.push(JSON.stringify([...answer.headers]), answer.text);
    return answer;
  }

  /** Any answer, also a refusal. */
  tryPush(changes: unknown, more: object = {}): Promise<HttpAnswer> {
    return this.send('/sync/push', JSON.stringify({ client_id: this.clientId, changes, ...more }));
  }

  async push(changes: readonly object[], more: object = {}): Promise<PushResult[]> {
    const { results } = required(await this.tryPush(changes, more)) as { results: PushResult[] };
    if (results.length !== changes.length) throw new Error('not one result a change');
    return results;
  }

  /** One change, its result. */
  async one(change: object, more: object = {}): Promise<PushResult> {
    return (await this.push([change], more))[0]!;
  }

  async pull(query = ''): Promise<Pulled> {
    return required(await this.send(`/sync/pull?${query}`)) as Pulled;
  }

  /** The newest log entry of one document. */
  async read(collection: string, docId: string): Promise<LogChange | undefined> {
    let newest: LogChange | undefined;
    let since = '';
    for (;;) {
      const page = await this.pull(`collections=${collection}&limit=1000&since=${since}`);
      newest = page.changes.filter(({ doc_id }) => doc_id === docId).at(-1) ?? newest;
      if (!page.has_more) return newest;
      since = page.last_seq;
    }
  }
}

/** Changes as the tests write them. */
export function upsert(collection: string, docId: unknown, data: unknown, more: object = {}): object {
  return { collection, operation: 'upsert', doc_id: docId, data, ...more };
}
export function remove(collection: string, docId: unknown, more: object = {}): object {
  return { collection, operation: 'delete', doc_id: docId, ...more };
}

/** A patch; give a `mutation_id` with inc, add and remove. */
export function patch(collection: string, docId: unknown, parts: object, more: object = {}): object {
  return { collection, operation: 'patch', doc_id: docId, ...parts, ...more };
}

/** One hash over every document of every collection. */
export async function databaseHash(db: mongo.Db, filter: mongo.Document = {}): Promise<string> {
  const hash = createHash('sha256');
  const collections = await db.listCollections({ type: 'collection' }).toArray();
  for (const name of collections.map((collection) => collection.name).sort()) {
    // Heartbeats of the processes, no data.
    if (name === 'sync_leases') continue;
    hash.update(`\n${name}\n`);
    for await (const row of db.collection(name).find(filter, { sort: { _id: 1 } }))
      hash.update(mongoose.mongo.BSON.EJSON.stringify(row, { relaxed: false }));
  }
  return hash.digest('hex');
}

function required({ status, text, body }: HttpAnswer): unknown {
  if (status !== 200) throw new Error(`${String(status)} ${text}`);
  return body;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
