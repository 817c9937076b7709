import type { SyncCollectionOptions } from '../options/sync.options';
import { readCollectionOptions } from './collection-options';

function read(options: unknown): SyncCollectionOptions {
  return readCollectionOptions(options as SyncCollectionOptions, ['sync_oplog', 'sync_heads']);
}

describe('the options of a collection', () => {
  it('can be a bare name', () => {
    expect(read('tasks')).toEqual({ name: 'tasks' });
  });

  it.each([
    ['', /"".*name must be a MongoDB/],
    [{}, /without a name/],
    [' tasks', /name must be/],
    ['a,b', /comma/],
    ['a$b', /name must be/],
    ['a\0b', /name must be/],
    ['system.users', /not system/],
    ['x'.repeat(121), /120 bytes/],
    ['sync_heads', /sync_heads: name is one of the engine’s own/],
    [
      { name: 'tasks', conflict: 'lww' },
      /tasks: conflict must be one of: last-writer-wins, reject-stale, client-wins, merge/,
    ],
    [{ name: 'tasks', bypass: 'x' }, /warn, error, off/],
    [{ name: 'tasks', bypass: 'error', capture: true }, /one of the two, capture or bypass/],
    [{ name: 'tasks', deleteUpdatePolicy: 'x' }, /resurrect_on_update, reject_update, delete_wins/],
    [{ name: 'tasks', ids: 'local' }, /ids must be one of: global, scoped/],
    [{ name: 'tasks', unknownFields: 'drop' }, /unknownFields must be one of: reject, strip/],
    [{ name: 'tasks', freeForm: true, model: 'Task' }, /freeForm means that there is no model/],
  ])('%j is refused with its remedy', (options, message) => {
    expect(() => read(options)).toThrow(expect.objectContaining({ code: 'configuration' }) as Error);
    expect(() => read(options)).toThrow(message);
  });
});
