import mongoose from 'mongoose';
import { SyncError, type JsonObject } from 'nest-offline-sync-protocol';
import type { SyncIdentity } from '../identity/identity';
import type { Prepared } from './collection';
import type { DocumentTransformFunction } from './ports';
import { Preparation, type PreparationSteps } from './prepare';

const X = { storedId: 'x', wireId: 'x' };
const identity: SyncIdentity = { scopeId: 's', actorId: 'a' };
const limits = { maxDepth: 8, maxDocumentBytes: 1000 };
let reported: [string, unknown][] = [];

function preparation(steps: Partial<PreparationSteps> = {}): Preparation {
  return new Preparation({
    collection: 'notes',
    limits,
    unknownFields: 'reject',
    report: (...told) => reported.push(told),
    ...steps,
  });
}

function withTransform(transform: DocumentTransformFunction, data: JsonObject) {
  return preparation({ transform }).prepare(identity, X, data, true);
}

beforeEach(() => {
  reported = [];
});

describe('preparing a client’s data', () => {
  it('without any step keeps it as it came', async () => {
    const data = { a: [1, { b: null }] };
    expect(await preparation().prepare(identity, X, data, true)).toEqual({ ok: true, document: data });
  });

  it('goes transform, DTO, schema, each with what the one before made', async () => {
    const prepared = await preparation({
      transform: (collection, data, by, docId) => ({
        ...data,
        t: `${collection} ${by.actorId} ${docId}`,
      }),
      dto: (data) => Promise.resolve({ ok: true, data: { ...data, d: Object.keys(data) } }),
      schema: ({ wireId }, { sent }) => ({ ok: true, document: { ...sent, s: wireId } }),
    }).prepare(identity, X, { a: 1 }, true);
    expect(prepared).toEqual({ ok: true, document: { a: 1, t: 'notes a x', d: ['a', 't'], s: 'x' } });
  });

  it('a transform may return nothing, or write into what it got', async () => {
    const data = { a: 1 };
    expect(await withTransform(() => undefined, data)).toEqual({ ok: true, document: { a: 1 } });
    const written = await withTransform((_, given) => void Object.assign(given, { b: 2 }), data);
    expect(written).toEqual({ ok: true, document: { a: 1, b: 2 } });
    expect(data).toEqual({ a: 1 });
  });

  it('shows a transform only data that passed the rules', async () => {
    const transform = jest.fn();
    const prepared = await withTransform(transform, JSON.parse('{"a":{"__proto__":1}}') as JsonObject);
    expect(prepared).toMatchObject({ ok: false, rejection: { code: 'forbidden_key' } });
    expect(transform).not.toHaveBeenCalled();
  });

  it.each<[string, DocumentTransformFunction, string]>([
    ['returns a refused key', () => ({ $set: 1 }), 'forbidden_key'],
    ['writes a refused key', (_, given) => void Object.assign(given, { _id: 1 }), 'forbidden_key'],
    ['returns a Date', () => ({ at: new Date(0) as unknown as string }), 'invalid_data'],
    ['returns no object', () => 'x' as unknown as JsonObject, 'invalid_data'],
    ['makes it too large', () => ({ text: 'x'.repeat(2000) }), 'document_too_large'],
  ])('rejects when a transform %s', async (_, transform, code) => {
    expect(await withTransform(transform, { a: 1 })).toMatchObject({ ok: false, rejection: { code } });
  });

  it('rejects with the code of a SyncError, and else with one of its own, whose cause is reported', async () => {
    const own = await withTransform(() => {
      throw new SyncError('forbidden', 'Not on Sundays.');
    }, {});
    expect(own).toEqual({ ok: false, rejection: { code: 'forbidden', message: 'Not on Sundays.' } });
    expect(reported).toHaveLength(0);

    const other = await withTransform(() => Promise.reject(new TypeError('secret')), {});
    expect(other).toMatchObject({ ok: false, rejection: { code: 'invalid_data' } });
    expect(JSON.stringify(other)).not.toContain('secret');
    expect(reported).toHaveLength(1);
  });

  it('does not take a lost database for bad data', async () => {
    const failure = new mongoose.mongo.MongoNetworkError('down');
    await expect(withTransform(() => Promise.reject(failure), {})).rejects.toBe(failure);
  });
});

describe('casting the app’s own documents', () => {
  it('keeps stored values, tells their wire form, and leaves out what the engine keeps', async () => {
    const schema = jest.fn<Prepared, Parameters<NonNullable<PreparationSteps['schema']>>>(() => ({
      ok: true,
      document: {},
    }));
    const dto = jest.fn();
    const document = {
      _id: 'x',
      _sync_version: 'v',
      at: new Date(0),
      owner: new mongoose.mongo.ObjectId('507f1f77bcf86cd799439011'),
      gone: undefined,
    };
    await preparation({ schema, dto }).cast(X, document);
    const sent = { at: '1970-01-01T00:00:00.000Z', owner: '507f1f77bcf86cd799439011' };
    const values = { at: document.at, owner: document.owner };
    expect(schema).toHaveBeenCalledWith(X, { sent, values }, false);
    expect(dto).not.toHaveBeenCalled();
  });

  it('refuses what could not be read back', async () => {
    expect(await preparation().cast(X, { a: { $set: 1 } })).toMatchObject({
      rejection: { code: 'forbidden_key' },
    });
    const ring: Record<string, unknown> = {};
    ring.self = ring;
    expect(await preparation().cast(X, ring as JsonObject)).toMatchObject({
      rejection: { code: 'too_deep' },
    });
  });
});
