import { Inject, Injectable } from '@nestjs/common';
import { ConflictResolver, type Conflict, type JsonObject } from 'nest-offline-sync';
import { ConflictApp, edited } from '../../support/conflict-app';
import { remove, upsert, type Device } from '../../support/http-app';

/** What the test wants of the resolver, and what that was shown. */
class Script {
  readonly shown: Conflict[] = [];
  settle: (conflict: Conflict) => JsonObject | null | Promise<JsonObject | null> = () => null;
}

/** Of the app's providers, with something injected. */
@Injectable()
class ScriptedResolver extends ConflictResolver {
  constructor(@Inject(Script) private readonly script: Script) {
    super();
  }

  override async resolve(conflict: Conflict): Promise<JsonObject | null> {
    this.script.shown.push(conflict);
    return this.script.settle(conflict);
  }
}

const sum = ({ current, change, base }: Conflict): JsonObject => ({
  stock: Number(current?.['stock']) + Number(change.data?.['stock']) - Number(base?.['stock']),
});

describe('a resolver of the app', () => {
  const script = new Script();
  let on: ConflictApp;
  let ann: Device;
  let bea: Device;

  beforeAll(async () => {
    on = await ConflictApp.start(__filename, ScriptedResolver, [
      ScriptedResolver,
      { provide: Script, useValue: script },
    ]);
    ({ ann, bea } = on);
  });
  afterAll(() => on.app.close());
  beforeEach(() => {
    on.nextDocument();
    script.shown.length = 0;
    script.settle = sum;
  });

  it('is given both sides and the base, and what it makes of them is what both have', async () => {
    const before = await on.counted('custom');
    const parent_version = await on.twoEdits('custom', { stock: 10 }, { stock: 7 });
    const current = (await ann.read('custom', on.id))?.version;
    expect(script.shown).toEqual([]);
    const hlc = edited(1);
    const result = await on.write(ann, 'custom', { stock: 8 }, { parent_version, hlc });
    expect(result).toMatchObject({ status: 'conflict_resolved', code: null, server_version: current });
    expect(result.server_document).toEqual({
      version: result.new_version,
      deleted: false,
      data: { stock: 5 },
    });
    expect(await on.data('custom')).toEqual({ stock: 5 });
    expect(await on.counted('custom')).toBe(before + 1);
    expect(script.shown).toMatchObject([
      {
        collection: 'custom',
        docId: on.id,
        current: { stock: 7 },
        currentVersion: current,
        change: { operation: 'upsert', data: { stock: 8 }, parentVersion: parent_version, hlc },
        base: { stock: 10 },
        identity: { scopeId: 'a', actorId: 'ann' },
      },
    ]);
  });

  it('is asked about deletes too, and deletes by giving null', async () => {
    const parent_version = await on.twoEdits('custom', { stock: 1 }, { stock: 2 });
    script.settle = ({ change, current }) => (change.operation === 'delete' ? current : null);
    const kept = await ann.one(remove('custom', on.id, { parent_version }));
    expect(kept).toMatchObject({ status: 'conflict_resolved', server_document: { deleted: false } });
    expect(await on.data('custom')).toEqual({ stock: 2 });
    const gone = await on.write(ann, 'custom', { stock: 3 }, { parent_version });
    expect(gone).toMatchObject({
      status: 'conflict_resolved',
      server_document: { deleted: true, data: null },
    });
    expect(await on.data('custom')).toBeNull();
    script.settle = ({ current, change }) => ({ was: current, now: change.data });
    await on.write(ann, 'custom', { stock: 4 }, { parent_version });
    expect(await on.data('custom')).toEqual({ was: null, now: { stock: 4 } });
  });

  it.each<[what: string, settle: Script['settle'], told: RegExp]>([
    ['throws', () => Promise.reject(new Error('s3cr3t')), /could not settle this conflict; pull/],
    [
      'throws at once',
      () => {
        throw new TypeError('s3cr3t');
      },
      /could not settle/,
    ],
    ['gives a forbidden key', () => ({ $set: 's3cr3t' }), /not valid: data/],
    ['gives a list', () => ['s3cr3t'] as unknown as JsonObject, /not valid: data/],
    ['gives nothing', () => undefined as unknown as null, /./],
    ['gives a text', () => 's3cr3t' as unknown as null, /./],
  ])('that %s rejects that change alone, and keeps what was there', async (_what, settle, told) => {
    const parent_version = await on.twoEdits('custom', { stock: 1 }, { stock: 2 });
    script.settle = settle;
    const results = await ann.push(
      [upsert('custom', on.id, { stock: 3 }, { parent_version }), upsert('last', on.id, { beside: true })],
      { atomic: 'mutation' },
    );
    expect(results).toMatchObject([
      { status: 'rejected', code: 'resolver_failed', server_document: { data: { stock: 2 } } },
      { status: 'accepted' },
    ]);
    expect(results[0]?.error).toMatch(told);
    expect(results[0]?.error).not.toContain('s3cr3t');
    expect(await on.data('custom')).toEqual({ stock: 2 });
    expect(on.app.logs.join('\n')).not.toContain('s3cr3t');
  });

  it('is asked again when the document has changed meanwhile', async () => {
    const parent_version = await on.twoEdits('custom', { stock: 10 }, { stock: 9 });
    script.settle = async (conflict) => {
      if (script.shown.length === 1) {
        const { currentVersion } = conflict;
        await on.write(bea, 'custom', { stock: 6 }, { parent_version: currentVersion });
      }
      return sum(conflict);
    };
    expect(await on.write(ann, 'custom', { stock: 8 }, { parent_version })).toMatchObject({
      status: 'conflict_resolved',
      server_document: { data: { stock: 4 } },
    });
    expect(script.shown.map(({ current }) => current)).toEqual([{ stock: 9 }, { stock: 6 }]);
  });

  it('is given up when the document changes each time, without harm', async () => {
    const parent_version = await on.twoEdits('custom', { stock: 10 }, { stock: 9 });
    script.settle = async (conflict) => {
      const { currentVersion } = conflict;
      const stock = 100 + script.shown.length;
      await on.write(bea, 'custom', { stock }, { parent_version: currentVersion });
      return sum(conflict);
    };
    const change = upsert('custom', on.id, { stock: 8 }, { parent_version, mutation_id: on.id });
    expect(await ann.one(change)).toMatchObject({ status: 'rejected', code: 'conflict_retry' });
    expect(await on.data('custom')).toEqual({ stock: 100 + script.shown.length });
    // It was nobody's fault: the same mutation may be tried again.
    script.settle = sum;
    expect(await ann.one(change)).toMatchObject({ status: 'conflict_resolved' });
  });

  it('keeps every sale when many sell concurrently', async () => {
    const { new_version: parent_version } = await on.write(ann, 'custom', { stock: 20 });
    const sell = async (device: Device): Promise<string> => {
      for (;;) {
        const { status, code } = await on.write(device, 'custom', { stock: 19 }, { parent_version });
        if (code !== 'conflict_retry') return status;
      }
    };
    const sold = await Promise.all(Array.from({ length: 10 }, (_, n) => sell(n % 2 ? ann : bea)));
    expect(sold.filter((status) => status === 'rejected')).toEqual([]);
    expect(await on.data('custom')).toEqual({ stock: 10 });
  });

  it('that needs long holds nobody else up, and is asked once for each change', async () => {
    const parent_version = await on.twoEdits('custom', { stock: 10 }, { stock: 9 });
    let release: () => void = () => undefined;
    const asked = new Promise<void>((begun) => {
      script.settle = async (conflict) => {
        begun();
        await new Promise<void>((done) => (release = done));
        return sum(conflict);
      };
    });
    const waiting = on.write(ann, 'custom', { stock: 8 }, { parent_version, mutation_id: on.id });
    await asked;
    expect(await bea.one(upsert('last', on.id, { n: 1 }))).toMatchObject({ status: 'accepted' });
    release();
    expect(await waiting).toMatchObject({ status: 'conflict_resolved' });
    const again = await on.write(ann, 'custom', { stock: 8 }, { parent_version, mutation_id: on.id });
    expect(again).toMatchObject({ status: 'conflict_resolved', replayed: true });
    expect(script.shown).toHaveLength(1);
  });

  it('is not asked about the app’s own writes', async () => {
    await on.twoEdits('custom', { stock: 1 }, { stock: 2 });
    await on.app.sync.transaction({ scopeId: 'a', actorId: 'server' }, (tx) =>
      tx.upsert('custom', on.id, { stock: 3 }),
    );
    expect(await on.data('custom')).toEqual({ stock: 3 });
    expect(script.shown).toEqual([]);
  });
});
