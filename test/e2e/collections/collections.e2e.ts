import { ForbiddenException, type Type } from '@nestjs/common';
import mongoose from 'mongoose';
import type { SyncAuthorizer } from '../../../libs/sync/src/collections/ports';
import type { SyncCollectionOptions, SyncOptions } from '../../../libs/sync/src/options/sync.options';
import { identity, loggedWarnings, registryOf, sealedWith, useCollections } from '../../support/collections';

const { mongo } = mongoose;
const HEX = '507f1f77bcf86cd799439011';

useCollections();

describe('setting collections up', () => {
  it('finds the model by the collection or by its name, and knows its ids', async () => {
    const registry = await sealedWith({
      collections: ['tasks', { name: 'settings', model: 'Setting', ids: 'global' }, 'devices'],
    });
    expect(registry.names()).toEqual(['tasks', 'settings', 'devices']);
    const stored = (name: string, id: string | number) => registry.get(name)?.ids.toStored('shop', id);
    expect(stored('tasks', HEX)).toEqual(new mongo.ObjectId(HEX));
    expect(stored('tasks', 'abcdefghijkl')).toBeUndefined();
    expect(stored('settings', 'theme')).toBe('theme');
    expect(stored('settings', 5)).toBeUndefined();
    expect(stored('devices', '0F9A3C1E-1b2d-4c3f-8a4b-5c6d7e8f9a0b')).toEqual(
      new mongo.UUID('0f9a3c1e-1b2d-4c3f-8a4b-5c6d7e8f9a0b'),
    );
    expect(registry.get('tasks')?.rules).toMatchObject({
      strategy: 'last-writer-wins',
      deleteUpdatePolicy: 'resurrect_on_update',
    });
    expect(registry.get('other')).toBeUndefined();
  });

  it.each<[string, SyncCollectionOptions, RegExp]>([
    ['no model', { name: 'taks' }, /taks: model has no model.*Task \(tasks\).*forFeature.*freeForm: true/],
    ['a mistyped model', { name: 'tasks', model: 'Taks' }, /Taks is not registered.*Task \(tasks\)/],
    [
      'another collection’s model',
      { name: 'tasks', model: 'Setting' },
      /is Setting, whose collection is settings/,
    ],
    ['an id that cannot travel', { name: 'compounds' }, /Compound has an _id of type/],
    [
      'scoped ObjectIds',
      { name: 'tasks', ids: 'scoped' },
      /_id must be a String, or the collection freeForm/,
    ],
    [
      'a wrong class',
      { name: 'tasks', authorizer: class Wrong {} as Type<SyncAuthorizer> },
      /class Wrong, which has no/,
    ],
  ])('%s stops the start with the remedy', async (_, options, message) => {
    const registry = await registryOf({ collections: [options] });
    await expect(registry.seal()).rejects.toMatchObject({ code: 'configuration' });
    await expect(registry.seal()).rejects.toThrow(message);
  });

  it('refuses a name twice, a name of the engine’s own, and anybody who comes late', async () => {
    const registry = await registryOf({ collections: ['tasks'], headsCollection: 'my_heads' });
    expect(() => registry.register({ name: 'tasks' })).toThrow(/tasks: name is registered twice/);
    expect(() => registry.register({ name: 'my_heads', freeForm: true })).toThrow(/engine’s own/);
    expect(() => registry.names()).toThrow(/once the app has started/);
    registry.register({ name: 'notes', freeForm: true, ids: 'scoped' });
    await registry.seal();
    expect(registry.names()).toEqual(['tasks', 'notes']);
    expect(() => registry.register('devices')).toThrow(/comes too late/);
  });

  it('says once what shared ids mean, for collections whose ids people choose', async () => {
    await sealedWith({
      collections: [
        'tasks',
        'settings',
        { name: 'notes', freeForm: true },
        { name: 'drafts', freeForm: true, ids: 'scoped' },
        { name: 'logs', freeForm: true, ids: 'global' },
      ],
    });
    expect(loggedWarnings()).toHaveLength(1);
    expect(loggedWarnings()[0]).toMatch(/ids of settings, notes among.*ids: 'scoped'/);
  });
});

describe('choosing the collections of a read', () => {
  const options: SyncOptions = {
    collections: [
      'tasks',
      { name: 'devices', authorizer: () => false },
      {
        name: 'settings',
        ids: 'global',
        authorizer: () => {
          throw new ForbiddenException('No.');
        },
      },
    ],
  };

  it('gives what was asked once, and all that may be read when nothing was', async () => {
    const registry = await sealedWith(options);
    const names = async (asked?: string[]) =>
      (await registry.readable(identity, asked)).map(({ name }) => name);
    expect(await names()).toEqual(['tasks']);
    expect(await names([])).toEqual(['tasks']);
    expect(await names(['tasks', 'tasks'])).toEqual(['tasks']);
  });

  it('refuses unknown names, and asked ones that may not be read', async () => {
    const registry = await sealedWith(options);
    await expect(registry.readable(identity, ['tasks', 'taks'])).rejects.toMatchObject({
      code: 'unknown_collection',
    });
    await expect(registry.readable(identity, ['tasks', 'devices'])).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(registry.readable(identity, ['settings'])).rejects.toMatchObject({ code: 'forbidden' });
    await expect(registry.readable(identity, ['constructor'])).rejects.toMatchObject({
      code: 'unknown_collection',
    });
  });

  it('lets an authorizer’s other failures through: they are no answer', async () => {
    const registry = await sealedWith({
      collections: [{ name: 'tasks', authorizer: () => Promise.reject(new TypeError('bug')) }],
    });
    await expect(registry.readable(identity, undefined)).rejects.toThrow('bug');
  });
});
