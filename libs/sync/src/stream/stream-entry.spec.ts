import { LiveEntry, StreamEntry } from './stream-entry';

describe('an entry on its way to subscribers', () => {
  it('weighs its bytes, not its characters, and is encoded once for all sockets', () => {
    const json = '{"title":"Grüße 😀"}';
    const entry = new StreamEntry('v', 1, json);
    expect(entry.kind).toBe('change');
    expect(entry.bytes).toBe(Buffer.byteLength(json));
    expect(entry.frame.toString()).toBe(json);
    expect(entry.frame).toBe(entry.frame);
  });

  it('is the same as the change stream gives it, with its collection', () => {
    const { version, seq, json, collection, bytes } = new LiveEntry('v', 2, '{}', 'tasks');
    expect({ version, seq, json, collection, bytes }).toEqual({
      version: 'v',
      seq: 2,
      json: '{}',
      collection: 'tasks',
      bytes: 2,
    });
  });
});
