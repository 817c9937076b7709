import {
  ForbiddenException,
  Injectable,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import type { mongo } from 'mongoose';
import {
  SyncAdminModule,
  SyncModule,
  WallClock,
  type SyncAdminOptions,
  type SyncIdentity,
  type SyncModuleExtras,
  type SyncOptions,
} from 'nest-offline-sync';
import type { IncomingHttpHeaders } from 'node:http';
import { OplogRepository } from '../../libs/sync/src/log/oplog';
import type { FixedWallClock } from '../../libs/sync/src/testing';
import { inSeconds, testToken } from './jwt';
import { TEST_SECRET } from './sync-app';

/** Lets in who says the word; a person with another word is known, but no operator. */
@Injectable()
export class WordGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: IncomingHttpHeaders }>();
    if (headers['x-word'] === undefined) throw new UnauthorizedException();
    if (headers['x-word'] !== OPERATOR['x-word']) throw new ForbiddenException();
    return true;
  }
}

export const OPERATOR = { 'x-word': 'open sesame' };

export interface OperatorApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly db: mongo.Db;
  readonly client: mongo.MongoClient;
  /** A request of an operator; its JSON. */
  read<T>(path: string): Promise<T>;
  post(path: string, body?: unknown): Promise<{ readonly status: number; readonly body: Body }>;
  get(
    path: string,
    headers?: Record<string, string>,
  ): Promise<{ readonly status: number; readonly body: Body }>;
  close(): Promise<void>;
}
export type Body = Readonly<Record<string, unknown>>;

export interface OperatorAppOptions {
  readonly admin?: Partial<SyncAdminOptions>;
  readonly sync?: SyncOptions & SyncModuleExtras;
  readonly clock?: FixedWallClock;
  /** The client tells what it sends. */
  readonly monitored?: boolean;
}

/** An app with sync, a free collection `notes`, and the routes of an operator at /admin/sync. */
export async function startOperatorApp(uri: string, given: OperatorAppOptions = {}): Promise<OperatorApp> {
  const building = Test.createTestingModule({
    imports: [
      MongooseModule.forRoot(uri, { monitorCommands: given.monitored ?? false }),
      SyncModule.forRoot({
        jwt: { secret: TEST_SECRET },
        scopeIdField: 'business_id',
        metricsEnabled: false,
        trimIntervalMs: 0,
        collections: [{ name: 'notes', freeForm: true, ids: 'scoped' }],
        ...given.sync,
      }),
      SyncAdminModule.forRoot({ guards: [WordGuard], ...given.admin }),
    ],
  });
  if (given.clock) building.overrideProvider(WallClock).useValue(given.clock);
  const app = (await building.compile()).createNestApplication({ logger: false });
  app.useWebSocketAdapter(new WsAdapter(app));
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const { db, client } = app.get(OplogRepository, { strict: false });
  const get: OperatorApp['get'] = async (path, headers = OPERATOR) => {
    const answer = await fetch(`${url}/admin/sync/${path}`, { headers });
    return { status: answer.status, body: (await answer.json()) as Body };
  };
  return {
    app,
    url,
    db,
    client,
    get,
    read: async <T>(path: string) => {
      const { status, body } = await get(path);
      if (status !== 200) throw new Error(`${String(status)} ${JSON.stringify(body)}`);
      return body as T;
    },
    post: async (path, body) => {
      const answer = await fetch(`${url}/admin/sync/${path}`, {
        method: 'POST',
        headers: { ...OPERATOR, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: (await answer.json()) as Body };
    },
    close: () => app.close(),
  };
}

export function identity(scopeId: string, actorId = 'ann'): SyncIdentity {
  return { scopeId, actorId };
}

export function bearer(scope: string, actor = 'ann'): { readonly authorization: string } {
  const payload = { user_id: actor, business_id: scope, exp: inSeconds(3_600) };
  return { authorization: `Bearer ${testToken({ payload, key: TEST_SECRET })}` };
}

/** A push of one change into `notes`, as any client sends it. */
export function note(docId: string, data: object, more: object = {}): object {
  return { collection: 'notes', operation: 'upsert', doc_id: docId, data, ...more };
}
