import { LiveEntry, StreamEntry } from './stream-entry';

describe('an entry on its way to subscribers', () => {
  const json = '{"title":"Grüße 😀"}';

  it('weighs its bytes, not its characters', () => {
    const entry = new StreamEntry('v', 1, Buffer.from(json));
    expect(entry.kind).toBe('change');
    expect(entry.bytes).toBe(Buffer.byteLength(json));
    expect(entry.json).toBe(json);
  });

  it('is the same as the change stream gives it, with its collection', () => {
    const { version, seq, wire, collection, bytes } = new LiveEntry('v', 2, Buffer.from('{}'), 'tasks');
    expect({ version, seq, wire: wire.toString(), collection, bytes }).toEqual({
      version: 'v',
      seq: 2,
      wire: '{}',
      collection: 'tasks',
      bytes: 2,
    });
  });
});
