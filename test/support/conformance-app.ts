import { Body, Controller, Post, UseFilters, UseGuards } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { WsAdapter } from '@nestjs/platform-ws';
import {
  SyncErrorFilter,
  SyncGuard,
  SyncModule,
  SyncService,
  SyncUser,
  type SyncIdentity,
  type SyncOptions,
} from 'nest-offline-sync';
import { randomUUID } from 'node:crypto';
import type { AppWrite, Membership, WorkloadCollection } from '../../libs/conformance/src/workload';
import { inSeconds, testToken } from './jwt';
import { Memberships } from './memberships';
import { startApp } from './sync-app';

const SECRET = 'a secret of the conformance runs that is long enough';

/** What a run writes into the app of {@link startConformanceApp}. */
export const APP_COLLECTIONS: readonly WorkloadCollection[] = [
  {
    name: 'notes',
    template: { text: '{marker}', visits: 0, tags: [] },
    ids: 'text',
    patch: { count: 'visits', list: 'tags', optional: 'more.due' },
  },
  {
    name: 'tasks',
    template: { title: '{marker}', done: false, at: { count: 5 } },
    ids: 'text',
    patch: { count: 'at.count', list: 'at.list' },
  },
];

/** The app's own write: a note with the text, through SyncService. */
export const APP_WRITE: AppWrite = { method: 'POST', path: '/app-notes', body: { text: '{marker}' } };

@Controller('app-notes')
@UseGuards(SyncGuard)
@UseFilters(SyncErrorFilter)
class AppNotesController {
  constructor(private readonly sync: SyncService) {}

  @Post()
  async write(@SyncUser() identity: SyncIdentity, @Body() { text }: { text: string }): Promise<object> {
    const id = randomUUID();
    await this.sync.transaction(identity, (tx) => tx.upsert('notes', id, { text }));
    return { id };
  }
}

export interface ConformanceApp {
  readonly url: string;
  /** @param actor default: one of this scope alone */
  readonly token: (scope: string, actor?: string) => string;
  readonly memberships: Memberships;
  /** Of a scope that tenants are let into: the actors of their tokens. */
  membership(scope: string, actors: Readonly<Record<'main' | 'other', string>>): Membership;
  close(): Promise<void>;
}

/** An app for conformance runs: `notes` with scoped ids, `tasks` with global ones, and a route that writes notes. */
export async function startConformanceApp(
  uri: string,
  options: Partial<SyncOptions> = {},
): Promise<ConformanceApp> {
  const memberships = new Memberships();
  const running = await startApp(
    {
      imports: [
        MongooseModule.forRoot(uri),
        SyncModule.forRoot({
          jwt: { secret: SECRET },
          actorIdField: 'user_id',
          scopeIdField: 'business_id',
          trimIntervalMs: 0,
          metricsEnabled: false,
          scopes: memberships,
          collections: [
            { name: 'notes', freeForm: true, ids: 'scoped' },
            { name: 'tasks', freeForm: true, ids: 'global' },
          ],
          ...options,
        }),
      ],
      controllers: [AppNotesController],
    },
    (app) => {
      const express = app as NestExpressApplication;
      express.useBodyParser('json', { limit: '12mb' });
      app.useWebSocketAdapter(new WsAdapter(app));
    },
  );
  return {
    url: running.url,
    close: running.close,
    memberships,
    membership: (scope, actors) => ({
      scopes: [scope],
      longestMs: 1_500,
      set: async (tenant, name, level) => {
        memberships.set(actors[tenant], name, level);
        await running.app.get(SyncService).accessChanged(actors[tenant]);
        return { status: 200, code: null };
      },
    }),
    token: (scope, actor = `of ${scope}`) =>
      testToken({ payload: { user_id: actor, business_id: scope, exp: inSeconds(3600) }, key: SECRET }),
  };
}
