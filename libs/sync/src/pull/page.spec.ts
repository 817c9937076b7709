import { ZERO_VERSION } from 'nest-offline-sync-protocol';
import { FullResyncRequired, PullPage } from './page';

const VERSION = '20260502T120000.000Z-0001-a1b2';

describe('an answer', () => {
  it('carries the entries as they were written, character by character', () => {
    const wires = ['{"seq":1,"data":{"n":1.50,"t":"\\ud800"}}', '{ "seq": 2, "ü": "日本 🚲" }'];
    const entries = wires.map((wire, index) => ({
      wire: Buffer.from(wire),
      seq: index + 1,
      version: VERSION,
    }));
    const page = new PullPage(entries, VERSION, 2, true);
    expect(page.json).toBe(
      `{"changes":[${wires.join(',')}],"last_seq":"${VERSION}","seq":2,"has_more":true}`,
    );
    expect(page.body.toString()).toBe(page.json);
    expect(JSON.parse(JSON.stringify(page))).toEqual(JSON.parse(page.json));
    expect(page.changes.map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('is a full JSON object without any entry, and as a demand for a full resync', () => {
    expect(new PullPage([], ZERO_VERSION, 0, false).json).toBe(
      `{"changes":[],"last_seq":"${ZERO_VERSION}","seq":0,"has_more":false}`,
    );
    expect(new FullResyncRequired(['tasks'], 'too_old').json).toBe(
      '{"full_resync_required":true,"collections":["tasks"],"reason":"too_old"}',
    );
  });
});
