import { LiveEntry, StreamEntry } from './stream-entry';

describe('an entry on its way to subscribers', () => {
  const json = '{"title":"Grüße 😀"}';

  it.each([json, Buffer.from(json)])('weighs its bytes, not its characters', (wire) => {
    const entry = new StreamEntry('v', 1, wire);
    expect(entry.kind).toBe('change');
    expect(entry.bytes).toBe(Buffer.byteLength(json));
    expect(entry.json).toBe(json);
    expect(entry.wire).toEqual(Buffer.from(json));
  });

  it('is the same as the change stream gives it, with its collection', () => {
    const { version, seq, wire, collection, bytes } = new LiveEntry('v', 2, '{}', 'tasks');
    expect({ version, seq, wire: wire.toString(), collection, bytes }).toEqual({
      version: 'v',
      seq: 2,
      wire: '{}',
      collection: 'tasks',
      bytes: 2,
    });
  });
});
