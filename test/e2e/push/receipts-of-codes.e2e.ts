import { join } from 'node:path';
import { IsString } from 'class-validator';
import { Schema } from 'mongoose';
import type { PushResult } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type Device, type HttpApp } from '../../support/http-app';
import { codeOf, MarkdownFile, tableRows } from '../../support/markdown';

const { uri } = testDatabase(__filename);
const MUTATION = 'the mutation';
const stampIn = (ms: number): string =>
  `${new Date(Date.now() + ms).toISOString().replace(/[-:]/g, '')}-0000-device`;

class CheckedDto {
  @IsString() name!: string;
}

/** Makes a change be refused with a code, and gives its result. */
type Refusal = (device: Device, app: HttpApp) => Promise<PushResult>;

const named = (collection: string, data: unknown, more: object = {}): object =>
  upsert(collection, 'd', data, { mutation_id: MUTATION, ...more });
const alone =
  (collection: string, data: unknown, more: object = {}): Refusal =>
  (device) =>
    device.one(named(collection, data, more));
const onto =
  (collection: string, first: object, data: unknown, more: object = {}): Refusal =>
  async (device) => {
    await device.one(upsert(collection, 'd', first));
    return device.one(named(collection, data, more));
  };
const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });

/** Every code of a change; `isJudged` where the schema, the database or what is stored has refused it. */
const REFUSALS: readonly (readonly [code: string, refusal: Refusal, isJudged?: boolean])[] = [
  ['invalid_change', alone('notes', {}, { operation: 'move' })],
  ['wrong_scope', alone('elsewhere', {})],
  ['invalid_doc_id', alone('notes', {}, { doc_id: '' })],
  ['invalid_version', alone('notes', {}, { hlc: 'yesterday' })],
  ['clock_drift', alone('notes', {}, { hlc: stampIn(3_600_000) })],
  ['parent_unknown', onto('notes', {}, {}, { parent_version: stampIn(50_000) })],
  [
    'parent_refused',
    async (device) => {
      const changes = [
        upsert('notes', 'd', { n: 1 }, { group: 'a' }),
        upsert('notes', 'bad', { $n: 1 }, { group: 'a' }),
        named('notes', { n: 1, m: 1 }),
      ];
      return (await device.push(changes))[2]!;
    },
  ],
  ['invalid_data', alone('notes', [])],
  ['unknown_field', alone('places', { name: 'a', where: 'there' })],
  ['forbidden_key', alone('notes', { $set: 1 })],
  ['too_deep', alone('notes', deep(40))],
  ['document_too_large', alone('notes', { text: 'x'.repeat(1 << 20) })],
  ['invalid_patch', alone('notes', undefined, { operation: 'patch' })],
  [
    'mutation_id_required',
    alone('notes', undefined, { operation: 'patch', inc: { n: 1 }, mutation_id: undefined }),
  ],
  ['patch_mismatch', onto('notes', { n: 'text' }, undefined, { operation: 'patch', inc: { n: 1 } })],
  ['document_missing', alone('notes', { n: 1 }, { operation: 'patch' })],
  ['unsafe_number', alone('notes', { n: 2 ** 60 })],
  ['invalid_string', alone('notes', { text: '\ud800' })],
  ['validation_failed', alone('checked', { name: 7 })],
  ['validation_failed', alone('places', { name: '' }), true],
  ['validation_failed', onto('places', { name: 'a', code: 'a' }, { name: 'a', code: 'b' }), true],
  [
    'id_unavailable',
    async (device, app) => {
      await app.as(`${device.scope} of another`).one(upsert('global', device.scope, {}));
      return device.one(named('global', {}, { doc_id: device.scope }));
    },
  ],
  [
    'unique_violation',
    async (device) => {
      await device.one(upsert('places', 'other', { name: 'taken' }));
      return device.one(named('places', { name: 'taken' }));
    },
  ],
  ['refused_by_database', alone('places', { name: 'a', at: { type: 'Point', coordinates: [999, 999] } })],
  ['conflict_stale', onto('notes', {}, {})],
  [
    'conflict_deleted',
    async (device) => {
      await device.one({ collection: 'kept', operation: 'delete', doc_id: 'd' });
      return device.one(named('kept', {}));
    },
  ],
  ['conflict_retry', onto('moving', { n: 0 }, { n: 1 })],
  ['resolver_failed', onto('failing', { n: 0 }, { n: 1 })],
  [
    'mutation_id_reused',
    async (device) => {
      await device.one(named('notes', { n: 1 }));
      return device.one(named('notes', { n: 2 }, { doc_id: 'e' }));
    },
  ],
  [
    'batch_rolled_back',
    async (device) => (await device.push([named('notes', {}), upsert('notes', 'bad', { $n: 1 })]))[0]!,
  ],
];

describe('the receipt of a rejection', () => {
  let app: HttpApp;
  const documented = new Map<string, string | undefined>();

  beforeAll(async () => {
    const place = new Schema(
      {
        _id: { type: String, set: (id: string) => id },
        name: { type: String, minlength: 1, required: true },
        code: { type: String, immutable: true },
        at: Object,
      },
      { versionKey: false, strict: 'throw' },
    );
    place.index(
      { _sync_scope_id: 1, name: 1 },
      { unique: true, partialFilterExpression: { _sync_deleted: false } },
    );
    place.index({ at: '2dsphere' });
    app = await startHttpApp(uri, {
      models: [{ name: 'Place', schema: place }],
      options: {
        scopes: { list: () => [], access: () => 'none', kind: () => 'own' },
        collections: [
          { name: 'elsewhere', freeForm: true, ids: 'scoped', scopes: ['project'] },
          { name: 'places', ids: 'scoped' },
          { name: 'checked', freeForm: true, ids: 'scoped', dto: CheckedDto },
          { name: 'notes', freeForm: true, ids: 'scoped', conflict: 'reject-stale' },
          { name: 'kept', freeForm: true, ids: 'scoped', deleteUpdatePolicy: 'reject_update' },
          { name: 'global', freeForm: true, ids: 'global' },
          {
            name: 'failing',
            freeForm: true,
            ids: 'scoped',
            resolver: () => {
              throw new Error('on purpose');
            },
          },
          {
            name: 'moving',
            freeForm: true,
            ids: 'scoped',
            resolver: async ({ currentVersion, current, identity }) => {
              const edit = {
                collection: 'moving',
                operation: 'upsert',
                doc_id: 'd',
                parent_version: currentVersion,
              };
              const data = { n: Number(current?.['n']) + 10 };
              await app.sync.push(identity, { client_id: 'mover', changes: [{ ...edit, data }] });
              return data;
            },
          },
        ],
      },
    });
    const rows = tableRows(
      new MarkdownFile(join(__dirname, '../../../docs/protocol.md')).section('Error codes'),
    );
    const first = rows.findIndex(([code]) => codeOf(code) === 'invalid_change');
    // What follows are the codes of an operator's routes.
    const end = rows.findIndex(([code]) => codeOf(code) === 'not_found');
    for (const [code, , , , receipt] of rows.slice(first, end))
      if (codeOf(code)) documented.set(codeOf(code)!, receipt);
  });
  afterAll(() => app.close());

  it('is said for every code of a change, and each of them is tried here', () => {
    expect(new Set(documented.values())).toEqual(new Set(['yes', 'no', 'if judged']));
    expect([...documented.keys()].sort()).toEqual([...new Set(REFUSALS.map(([code]) => code))].sort());
  });

  const cases = REFUSALS.map(([code, refusal, isJudged = false], n) => ({ code, refusal, isJudged, n }));
  it.each(cases)('is there as the page says: $code, $isJudged', async ({ code, refusal, isJudged, n }) => {
    const device = app.as(`s${String(n)}`);
    const result = await refusal(device, app);
    expect(result).toMatchObject({ code, error: expect.any(String) });
    if (code !== 'mutation_id_required') expect(result.mutation_id).toBe(MUTATION);
    const kept = await app.db
      .collection('sync_receipts')
      .find({ '_id.scope': device.scope, '_id.mutation': MUTATION })
      .toArray();
    // Of the id that is used twice the first has one.
    const own = kept.filter((receipt) => receipt['code'] === code);
    const said = documented.get(code);
    expect(own).toHaveLength(said === 'yes' || (said === 'if judged' && isJudged) ? 1 : 0);
  });
});
