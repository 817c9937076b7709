import fc from 'fast-check';
import { SyncError } from 'nest-offline-sync-protocol';
import { cursorText, parsePageQuery, parseVerifyBody, scopeOfCursor } from './page-query';

describe('a cursor', () => {
  it('comes back as it was given', () => {
    const key = fc.oneof(fc.string(), fc.integer());
    fc.assert(
      fc.property(fc.array(key), (keys) => {
        expect(parsePageQuery({ cursor: cursorText(keys) }).after).toEqual(keys);
      }),
    );
  });
});

describe('what an operator asks', () => {
  const isSyncError = (work: () => unknown): void => {
    try {
      work();
    } catch (error) {
      expect(error).toBeInstanceOf(SyncError);
      expect((error as SyncError).status).toBe(400);
    }
  };

  it('is refused with 400 or taken, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (cursor, other) => {
        isSyncError(() => scopeOfCursor(parsePageQuery({ cursor, limit: other, scope: other }).after));
        isSyncError(() => parsePageQuery(cursor));
        isSyncError(() => parseVerifyBody(cursor, ['notes']));
        isSyncError(() => parseVerifyBody({ collections: cursor, scope: other, limit: other }, ['notes']));
      }),
    );
  });
});
