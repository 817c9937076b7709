import type { StoredDocument } from '../codec/stored-document';
import fc from 'fast-check';
import '../../../../test/support/runs';
import type { Prepared, SyncedCollection } from '../collections/collection';
import { DocumentForm, type Checked } from '../plan/document-form';
import { encodeDocument } from '../codec/wire-codec';
import { recordedFields } from './recorded-fields';
import type { Target } from './target';

/** Whether a document has what its rules ask for. */
function check(document: StoredDocument): Checked {
  return 'needed' in document
    ? { ok: true, document }
    : { ok: false, rejection: { code: 'validation_failed', message: 'needed is missing' } };
}

/** A collection with a default, and without a field of the name `unknown`. */
const collection = {
  rules: { form: new DocumentForm({}) },
  cast: (_: unknown, data: StoredDocument): Promise<Prepared> => {
    const sent = encodeDocument(data);
    const rejection = { code: 'unknown_field', message: 'no' } as const;
    const problems = 'unknown' in data ? [{ path: ['unknown'], rejection }] : [];
    const document = { state: 'new', ...data };
    return Promise.resolve({ ok: true, document, content: { sent, problems, verdicts: [] } });
  },
  settle: (_: unknown, prepared: Prepared) =>
    Promise.resolve(prepared.ok ? check(prepared.document) : prepared),
  verify: (_: unknown, document: StoredDocument) => Promise.resolve(check(document)),
} as unknown as SyncedCollection;
const target: Target = { collection, storedId: 'x', wireId: 'x' };

const key = fc.constantFrom('a', 'b', 'c', 'd');
const value = fc.oneof(
  fc.integer(),
  fc.string({ unit: 'grapheme-ascii' }),
  fc.date({ noInvalidDate: true }),
  fc.array(fc.boolean()),
);
const fields = fc.dictionary(key, value);

describe('what a recorded document becomes', () => {
  it('is what is stored, under what was given', async () => {
    await fc.assert(
      fc.asyncProperty(fields, fields, async (stored, given) => {
        const before: StoredDocument = {
          _id: 'x',
          _sync_scope_id: 's',
          needed: 1,
          state: 'sold',
          unknown: 2,
          ...stored,
        };
        const result = await recordedFields(target, given, before);
        expect(encodeDocument(result)).toEqual({ ...encodeDocument(before), ...encodeDocument(given) });
        for (const name of Object.keys(stored))
          if (!(name in given) || JSON.stringify(given[name]) === JSON.stringify(stored[name]))
            expect(result[name]).toBe(stored[name]);
        expect(Object.keys(result).some((name) => name === '_id' || name.startsWith('_sync_'))).toBe(false);
      }),
    );
  });

  it('is cast as a whole when nothing is stored', async () => {
    expect(await recordedFields(target, { needed: 1, at: new Date(0) }, undefined)).toMatchObject({
      state: 'new',
    });
    await expect(recordedFields(target, { a: 1 }, undefined)).rejects.toMatchObject({
      code: 'validation_failed',
    });
    await expect(recordedFields(target, null, undefined)).rejects.toMatchObject({ code: 'invalid_data' });
    await expect(recordedFields(target, [] as never, { needed: 1 })).rejects.toMatchObject({
      code: 'invalid_data',
    });
  });

  it('refuses a given field that the schema does not know', async () => {
    const stored = { needed: 1, a: 2 };
    await expect(recordedFields(target, { unknown: 1 }, stored)).rejects.toMatchObject({
      code: 'unknown_field',
    });
  });
});
