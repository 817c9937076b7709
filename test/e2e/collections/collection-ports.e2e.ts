import { Injectable, Scope, type Type } from '@nestjs/common';
import type { JsonObject } from 'nest-offline-sync-protocol';
import { DocumentTransform, SyncAuthorizer } from '../../../libs/sync/src/collections/ports';
import { ConflictResolver, type Conflict } from '../../../libs/sync/src/plan/conflict';
import type { SyncIdentity } from '../../../libs/sync/src/identity/identity';
import type { SyncCollectionOptions } from '../../../libs/sync/src/options/sync.options';
import {
  collection,
  document,
  sentNew,
  identity,
  loggedWarnings,
  sealedWith,
  useCollections,
} from '../../support/collections';

useCollections();

describe('ports', () => {
  @Injectable()
  class Roles {
    readonly readers = ['clerk'];
  }
  @Injectable()
  class ByRole extends SyncAuthorizer {
    constructor(private readonly roles: Roles) {
      super();
    }
    authorize(by: SyncIdentity, _: string, action: string): boolean {
      const { roles } = by.user as { roles: string[] };
      return action === 'read' && roles.some((role) => this.roles.readers.includes(role));
    }
  }
  @Injectable()
  class Stamp extends DocumentTransform {
    transform(_: string, data: JsonObject, by: SyncIdentity): JsonObject {
      return { ...data, by: by.actorId };
    }
  }
  @Injectable()
  class Newest extends ConflictResolver {
    resolve(conflict: Conflict): JsonObject | null {
      return conflict.change.data;
    }
  }

  it('are taken from the app’s providers, or made with them', async () => {
    const own: SyncCollectionOptions = {
      name: 'notes',
      freeForm: true,
      ids: 'scoped',
      authorizer: ByRole,
      transform: Stamp,
      resolver: Newest,
      conflict: 'merge',
    };
    for (const providers of [[Roles], [Roles, ByRole, Stamp, Newest]]) {
      const notes = await collection(own, providers);
      expect(await notes.authorize(identity, 'read')).toBe(true);
      expect(await notes.authorize(identity, 'delete')).toBe(false);
      expect(await document(sentNew(notes, 'x', { a: 1 }))).toEqual({ a: 1, by: 'ada' });
      expect(notes.rules.strategy).toBe('custom');
      expect(await notes.resolve({ change: { data: { b: 1 } } } as unknown as Conflict)).toEqual({ b: 1 });
    }
  });

  it('that cannot be made, or serve one request only, stop the start', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends ByRole {}
    const options = (authorizer: Type<SyncAuthorizer>) => ({ name: 'tasks', authorizer });
    await expect(collection(options(ByRole))).rejects.toThrow(
      /collection tasks: authorizer: ByRole cannot be made/,
    );
    await expect(collection(options(PerRequest), [Roles, PerRequest])).rejects.toThrow(
      /PerRequest is request-scoped/,
    );
  });

  it.each<[string, object]>([
    ['has no such method', {}],
    ['has something else in its place', { authorize: true }],
  ])('of DI that %s stop the start', async (_what, given) => {
    const provided = [Roles, { provide: ByRole, useValue: given }];
    await expect(collection({ name: 'tasks', authorizer: ByRole }, provided)).rejects.toThrow(
      /collection tasks: authorizer: what the app provides as ByRole has no method authorize/,
    );
  });

  it('whose method is a property stop the start, with the remedy', async () => {
    class Arrow {
      readonly authorize = (): boolean => true;
    }
    await expect(collection({ name: 'tasks', authorizer: Arrow })).rejects.toThrow(/write it as a method/);
  });

  it('of forRoot serve collections without their own', async () => {
    const registry = await sealedWith({
      authorizer: (_, name) => name === 'tasks',
      collections: ['tasks', 'devices', { name: 'settings', ids: 'global', authorizer: () => true }],
    });
    const readable = await registry.readable(identity, undefined);
    expect(readable.map(({ name }) => name)).toEqual(['tasks', 'settings']);
  });

  it('logs where a failing transform failed, and nothing of the data', async () => {
    const notes = await collection({
      name: 'notes',
      freeForm: true,
      ids: 'scoped',
      transform: (_, given) => {
        throw new TypeError(`cannot handle ${JSON.stringify(given)}`);
      },
    });
    const prepared = await sentNew(notes, 'x', { a: 'secret' });
    expect(prepared).toMatchObject({ ok: false, rejection: { code: 'invalid_data' } });
    expect(loggedWarnings()).toHaveLength(1);
    expect(loggedWarnings()[0]).toMatch(/Collection notes: .*the transform failed: TypeError\n\s+at /);
    expect(loggedWarnings()[0]).not.toContain('secret');
  });
});
