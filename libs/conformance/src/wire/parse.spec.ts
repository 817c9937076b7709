import fc from 'fast-check';
import { canonical, digestOf } from './digest';
import { findMarker, isOwnId, markerOf, ownId, secretOf, secretsOf } from './marker';
import { isWhole, parseEntry, parsePage, parseResults, parseRows } from './parse';
import type { Reply } from './exchange';

const secrets = secretsOf('run', 'main');
const foreign = secretOf('run', 'other');
const reading = { secrets };
const reply = (body: unknown, status = 200): Reply => ({
  ...{ status, headers: new Headers() },
  text: typeof body === 'string' ? body : JSON.stringify(body),
});
const entryOf = (value: unknown) => parseEntry(value, reading);

describe('markers', () => {
  it('are found completely anywhere in a document', () => {
    fc.assert(
      fc.property(fc.nat(), fc.string(), fc.string(), (number, before, after) => {
        const marker = markerOf(secrets.own, 'w3', number);
        const text = JSON.stringify({ a: [{ b: `${before}${marker}${after}` }] });
        expect(findMarker(text, secrets)).toBe(marker);
      }),
    );
  });

  it('of the other tenant are found too, those of other runs are not', () => {
    expect(findMarker(`x ${markerOf(foreign, 'w0', 1)}`, secrets)).toBe(markerOf(foreign, 'w0', 1));
    expect(findMarker(markerOf(secretOf('earlier', 'main'), 'w0', 1), secrets)).toBeNull();
  });
});

describe('ids', () => {
  it('are unlike for every run, owner and number, and known as the checker’s own', () => {
    for (const kind of ['text', 'objectid'] as const) {
      const ids = ['a', 'b'].flatMap((run) =>
        [0, 1, 128, 255].flatMap((owner) => [0, 1, 70_000].map((number) => ownId(kind, run, owner, number))),
      );
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.every(isOwnId)).toBe(true);
      if (kind === 'objectid') expect(ids.every((id) => /^[0-9a-f]{24}$/.test(id))).toBe(true);
    }
    expect(isOwnId('milk')).toBe(false);
  });
});

describe('digests', () => {
  it('do not depend on the order of keys, and on everything else', () => {
    expect(digestOf({ a: 1, b: [{ c: null, d: 'x' }] })).toBe(digestOf({ b: [{ d: 'x', c: null }], a: 1 }));
    expect(digestOf({ a: [1, 2] })).not.toBe(digestOf({ a: [2, 1] }));
    expect(digestOf({ a: '1' })).not.toBe(digestOf({ a: 1 }));
    expect(digestOf(null)).toBeNull();
  });

  it('are of a text that reads back as the document', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        expect(JSON.parse(canonical(plain))).toEqual(plain);
      }),
    );
  });
});

describe('answers of a server', () => {
  it('of any shape are read without an error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        parsePage(reply(text), entryOf);
        parseResults(reply(text));
        parseRows(text, reading);
      }),
    );
  });

  it('are null where they are not what was asked for', () => {
    expect(parsePage(reply({ changes: [] }, 503), entryOf)).toBeNull();
    expect(parsePage(reply({ last_seq: 'x' }), entryOf)).toBeNull();
    expect(parsePage(null, entryOf)).toBeNull();
    expect(parseResults(reply('<html>'))).toBeNull();
    expect(parseRows('{"collection":"a"}\n{"collec', reading)).toBeNull();
  });

  it('are whole pages of a full resync when their last line says what the headers say', () => {
    const row = '{"collection":"a","doc_id":"1","data":null,"deleted":true,"version":null}\n';
    const page = (text: string, headers: Record<string, string> = {}): Reply => ({
      ...{ status: 200, text },
      headers: new Headers({ 'x-sync-lastseq': 'v1', ...headers }),
    });
    const end = (last_seq: unknown, cursor: unknown): string =>
      JSON.stringify({ end: true, last_seq, cursor });
    const next = { 'x-sync-cursor': 'c' };
    expect(isWhole(page(`${row}${end('v1', null)}\n`))).toBe(true);
    expect(isWhole(page(end('v1', 'c'), next))).toBe(true);
    expect(parseRows(`${row}${end('v1', null)}\n`, reading)).toHaveLength(1);
    expect(parseRows(`${end('v1', null)}\n${row}`, reading)).toBeNull();
    for (const [text, headers] of [
      ['', {}],
      [row, {}],
      [`${end('v1', null)}\n${row}`, {}],
      [end('v2', null), {}],
      [end('v1', 'c'), {}],
      [end('v1', null), next],
      [end('v1', undefined), {}],
      [end('v1', 'd'), next],
      [end('v1', null).slice(0, -1), {}],
    ] as const)
      expect([text, isWhole(page(text, headers))]).toEqual([text, false]);
  });

  it('keep what the oracle needs of an entry, a page and a row', () => {
    const marker = markerOf(secrets.own, 'w0', 4);
    const data = { title: marker };
    const entry = { version: 'v1', seq: 3, collection: 'tasks', doc_id: 7, operation: 'upsert', data };
    const seen = {
      ...{ version: 'v1', seq: 3, collection: 'tasks', docId: '7', operation: 'upsert', marker },
      numericId: true,
    };
    expect(parsePage(reply({ changes: [entry], last_seq: 'v1', seq: 3, has_more: true }), entryOf)).toEqual({
      changes: [{ ...seen, digest: digestOf(data) }],
      ...{ lastSeq: 'v1', seq: 3, hasMore: true },
    });
    expect(parsePage(reply({ full_resync_required: true, reason: 'too_old' }), entryOf)).toEqual({
      resync: 'too_old',
    });
    expect(parseRows(`${JSON.stringify({ ...entry, deleted: false })}\n`, reading)).toEqual([
      {
        ...{ collection: 'tasks', docId: '7', deleted: false, version: 'v1', digest: digestOf(data), marker },
        numericId: true,
      },
    ]);
  });
});
