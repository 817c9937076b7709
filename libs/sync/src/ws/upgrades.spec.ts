import { streamPathBehind, type GlobalPrefix } from './upgrades';

const extras = { streamPath: '/sync/stream', streamPathIsGiven: false };
const behind = (prefix: string, leavesOut: GlobalPrefix['leavesOut'] = () => false): string =>
  streamPathBehind(extras, { prefix, leavesOut });

describe('streamPathBehind', () => {
  it.each([
    ['', '/sync/stream'],
    ['/', '/sync/stream'],
    ['api', '/api/sync/stream'],
    ['/api/v1/', '/api/v1/sync/stream'],
  ])('puts the prefix %j before it', (prefix, path) => {
    expect(behind(prefix)).toBe(path);
  });

  it('stays where it is when it is given, when the app leaves it out, and with parameters', () => {
    const given = { streamPath: '/live', streamPathIsGiven: true };
    expect(streamPathBehind(given, { prefix: 'api', leavesOut: () => false })).toBe('/live');
    expect(behind('api', (path) => path === '/sync/stream')).toBe('/sync/stream');
    expect(behind(':tenant/api')).toBe('/sync/stream');
  });
});
