import fc from 'fast-check';
import '../../../test/support/runs';
import { SyncError } from './errors.ts';
import { parsePushRequest, type ParsedChange } from './push.ts';

const VERSION = '20260502T120000.000Z-0001-a1b2';
const change = { collection: 'tasks', operation: 'upsert', doc_id: 'd1', data: { title: 'x' } };

function request(fields: Record<string, unknown> = {}): unknown {
  return { client_id: 'c1', changes: [change], ...fields };
}

function refusal(body: unknown): { code: string; path: string | undefined } | undefined {
  try {
    parsePushRequest(body, 3);
    return undefined;
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    return { code: error.code, path: error.path };
  }
}

function parsed(fields: Record<string, unknown>): ParsedChange {
  return parsePushRequest(request({ changes: [{ ...change, ...fields }] }), 3).changes[0]!;
}

describe('the envelope of a push', () => {
  it('is read with its defaults, and unknown fields are passed over', () => {
    expect(parsePushRequest(request({ scope_id: 'other', sent: 1 }), 3)).toEqual({
      clientId: 'c1',
      atomic: undefined,
      changes: [
        {
          ok: true,
          change: { ...change, parent_version: null, hlc: null, mutation_id: null },
        },
      ],
    });
    for (const [atomic, read] of [
      ['batch', 'batch'],
      ['mutation', 'mutation'],
      [null, undefined],
    ] as const)
      expect(parsePushRequest(request({ atomic }), 3).atomic).toBe(read);
  });

  it.each<[string, unknown, string, string]>([
    ['no object', 'push', 'malformed_request', 'body'],
    ['a list', [change], 'malformed_request', 'body'],
    ['no client', { changes: [change] }, 'malformed_request', 'client_id'],
    ['an empty client', request({ client_id: '' }), 'malformed_request', 'client_id'],
    ['a number for a client', request({ client_id: 7 }), 'malformed_request', 'client_id'],
    ['another atomicity', request({ atomic: 'some' }), 'malformed_request', 'atomic'],
    ['an empty atomicity', request({ atomic: '' }), 'malformed_request', 'atomic'],
    ['no changes', request({ changes: undefined }), 'malformed_request', 'changes'],
    ['an object for changes', request({ changes: { 0: change } }), 'malformed_request', 'changes'],
    ['an empty list', request({ changes: [] }), 'malformed_request', 'changes'],
    ['too many changes', request({ changes: Array(4).fill(change) }), 'too_many_changes', 'changes'],
  ])('is refused with %s', (_what, body, code, path) => {
    expect(refusal(body)).toEqual({ code, path });
  });

  it('takes as many changes as are allowed', () => {
    expect(parsePushRequest(request({ changes: Array(3).fill(change) }), 3).changes).toHaveLength(3);
  });

  it('takes names of 1 to 128 bytes without NUL or half a surrogate pair', () => {
    for (const name of ['c', 'x'.repeat(128), 'ü'.repeat(64), '😀'.repeat(32)]) {
      expect(refusal(request({ client_id: name }))).toBeUndefined();
      expect(parsed({ mutation_id: name })).toMatchObject({ ok: true, change: { mutation_id: name } });
    }
    for (const name of ['x'.repeat(129), 'ü'.repeat(65), '😀'.repeat(33), 'a\0b', '\ud800']) {
      expect(refusal(request({ client_id: name }))).toEqual({ code: 'malformed_request', path: 'client_id' });
      expect(parsed({ mutation_id: name })).toMatchObject({ ok: false, mutation_id: null });
    }
  });
});

describe('a change of a push', () => {
  it('is read with all its fields', () => {
    const fields = { parent_version: VERSION, hlc: '20260502T120001.000Z-0000', mutation_id: 'm1' };
    expect(parsed(fields)).toEqual({ ok: true, change: { ...change, ...fields } });
  });

  it('takes null and blank stamps for none, and an empty document for one', () => {
    for (const none of [undefined, null, ''])
      expect(parsed({ parent_version: none, hlc: none })).toMatchObject({
        change: { parent_version: null, hlc: null },
      });
    expect(parsed({ data: {} })).toMatchObject({ ok: true, change: { data: {} } });
  });

  it('carries no document when it deletes, whatever was sent with it', () => {
    for (const data of [{ title: 'x' }, undefined, null, 'text'])
      expect(parsed({ operation: 'delete', data })).toMatchObject({
        ok: true,
        change: { operation: 'delete', data: null },
      });
  });

  it('may have whole numbers for its ids; minus zero is zero, so that a retry is the same', () => {
    for (const [sent, id] of [
      [7, 7],
      [0, 0],
      [-0, 0],
      [Number.MIN_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    ] as const)
      expect(parsed({ doc_id: sent, mutation_id: sent })).toEqual(
        expect.objectContaining({
          ok: true,
          change: expect.objectContaining({ doc_id: id, mutation_id: String(id) }),
        }),
      );
  });

  it.each<[Record<string, unknown>, string, string]>([
    [{ mutation_id: '' }, 'invalid_change', 'mutation_id'],
    [{ mutation_id: 1.5 }, 'invalid_change', 'mutation_id'],
    [{ mutation_id: {} }, 'invalid_change', 'mutation_id'],
    [{ collection: undefined }, 'invalid_change', 'collection'],
    [{ collection: 7 }, 'invalid_change', 'collection'],
    [{ operation: undefined }, 'invalid_change', 'operation'],
    [{ operation: 'UPSERT' }, 'invalid_change', 'operation'],
    [{ doc_id: undefined }, 'invalid_doc_id', 'doc_id'],
    [{ doc_id: '' }, 'invalid_doc_id', 'doc_id'],
    [{ doc_id: 2 ** 53 }, 'invalid_doc_id', 'doc_id'],
    [{ doc_id: 'x'.repeat(257) }, 'invalid_doc_id', 'doc_id'],
    [{ doc_id: 'ü'.repeat(129) }, 'invalid_doc_id', 'doc_id'],
    [{ doc_id: 'a\0b' }, 'invalid_doc_id', 'doc_id'],
    [{ doc_id: '\ud800' }, 'invalid_doc_id', 'doc_id'],
    [{ parent_version: 'yesterday' }, 'invalid_version', 'parent_version'],
    [{ parent_version: 7 }, 'invalid_version', 'parent_version'],
    [{ hlc: '20261301T000000.000Z-0000-a' }, 'invalid_version', 'hlc'],
    [{ data: undefined }, 'invalid_data', 'data'],
    [{ data: null }, 'invalid_data', 'data'],
    [{ data: [1] }, 'invalid_data', 'data'],
    [{ data: 'text' }, 'invalid_data', 'data'],
  ])('is refused alone with %j, and names its field', (fields, code, field) => {
    const bad = { ...change, mutation_id: 'm1', ...fields };
    const [first, second] = parsePushRequest(request({ changes: [change, bad] }), 3).changes;
    expect(first?.ok).toBe(true);
    expect(second).toEqual({
      ok: false,
      ...(field === 'collection' ? {} : { collection: 'tasks' }),
      doc_id: field === 'doc_id' ? null : 'd1',
      mutation_id: field === 'mutation_id' ? null : 'm1',
      rejection: { code, message: expect.stringMatching(new RegExp(`^changes\\[1\\]\\.${field} must be .`)) },
    });
  });

  it('that is no object is refused alone', () => {
    for (const bad of [null, 'x', 7, [change]])
      expect(parsePushRequest(request({ changes: [bad, change] }), 3).changes).toMatchObject([
        { ok: false, doc_id: null, mutation_id: null, rejection: { code: 'invalid_change' } },
        { ok: true },
      ]);
  });

  it('takes ids of up to 256 bytes', () => {
    for (const id of ['x'.repeat(256), 'ü'.repeat(128)])
      expect(parsed({ doc_id: id })).toMatchObject({ ok: true, change: { doc_id: id } });
  });

  it('of whatever shape is a change or a rejection, one for each that was sent, in their order', () => {
    const keys = fc.constantFrom(...Object.keys(change), 'parent_version', 'hlc', 'mutation_id');
    const any = fc.oneof(
      fc.anything(),
      fc.dictionary(keys, fc.anything()).map((odd) => ({ ...change, ...odd })),
    );
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 3 }), (changes) => {
        expect(parsePushRequest(request({ changes }), 3).changes).toHaveLength(changes.length);
      }),
    );
  });
});
