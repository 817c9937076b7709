import { SyncError } from 'nest-offline-sync-protocol';
import { resolveSettings } from './settings';
import type { SyncOptions } from './sync.options';
import { optionRows } from './value';

function problem(options: object): string {
  try {
    resolveSettings(options);
  } catch (error) {
    if (error instanceof SyncError) return `${error.code} ${error.path ?? ''}: ${error.message}`;
    throw error;
  }
  return 'taken';
}

describe('resolveSettings', () => {
  it('fills in every default of the table, and takes what is given', () => {
    const settings = resolveSettings({ lanes: 8, limits: { maxDepth: 5 } });
    expect(settings).toMatchObject({ lanes: 8, maxPullLimit: 1000, oplogCollection: 'sync_oplog' });
    expect(settings.limits).toMatchObject({ maxDepth: 5, maxChanges: 1000 });
    expect(settings.oplogMaxEntries).toBeUndefined();
    expect(resolveSettings({ oplogMaxEntries: 7 }).oplogMaxEntries).toBe(7);
  });

  it('holds a default below the bound that another option sets', () => {
    expect(resolveSettings({ maxPullLimit: 40, maxFullLimit: 30 })).toMatchObject({
      defaultPullLimit: 40,
      defaultFullLimit: 30,
    });
  });

  it.each<[object, string]>([
    [{ lanes: 0 }, 'configuration lanes: SyncModule: option lanes must be a number from 1 to 64.'],
    [{ lanes: 1.5 }, 'option lanes must be a whole number.'],
    [{ lanes: '4' }, 'option lanes must be a number from 1 to 64.'],
    [
      { receiptTtlDays: 29.5 },
      `option receiptTtlDays must be a number from 30 to ${Number.MAX_SAFE_INTEGER}.`,
    ],
    [
      { limits: { maxDepth: 91 } },
      'limits.maxDepth: SyncModule: option limits.maxDepth must be a number from 1 to 90.',
    ],
    [{ defaultPullLimit: 1001 }, 'option defaultPullLimit must be a number from 1 to 1000.'],
    [{ maxFullLimit: 5, defaultFullLimit: 6 }, 'option defaultFullLimit must be a number from 1 to 5.'],
    [{ oplogCollection: 'system.log' }, 'option oplogCollection must be a plain collection name.'],
    [{ oplogCollection: 7 }, 'option oplogCollection must be a plain collection name.'],
    [{ headsCollection: 'sync_oplog' }, 'must have four different names'],
    [{ hlcNodeId: 'a b' }, 'option hlcNodeId must be 1 to 64 letters, digits, dots, underscores or dashes.'],
    [{ bypass: 'loud' }, 'option bypass must be one of: warn, error, off.'],
    [{ bypass: true }, 'option bypass must be one of: warn, error, off.'],
    // A text would have been taken for true.
    [{ batchAtomic: 'false' }, 'batchAtomic: SyncModule: option batchAtomic must be true or false.'],
  ])('refuses %j', (options, message) => {
    expect(problem(options)).toContain(message);
  });

  it('takes the bounds themselves', () => {
    for (const [path, { kind, min = 0, max }] of optionRows()) {
      if (kind !== 'whole' && kind !== 'number') continue;
      if (path.startsWith('jwt.')) continue;
      for (const value of [min, max ?? min])
        expect(problem(optionAt(path, value) as SyncOptions)).toBe('taken');
      if (min > 0) expect(problem(optionAt(path, min - 1))).toContain(`option ${path} must be a number from`);
    }
  });
});

function optionAt(path: string, value: unknown): object {
  const [first = '', second] = path.split('.');
  return { [first]: second === undefined ? value : { [second]: value } };
}
