import { disagreements, inOrder, nextVersion, withRelease, withVersion, type Manifest } from './release-plan';

const repository = { type: 'git', url: 'git+https://example.com/a.git' };
const protocol: Manifest = { name: 'protocol', version: '0.1.0', repository };
const server: Manifest = {
  name: 'server',
  version: '0.1.0',
  repository,
  dependencies: { commander: '14.0.3', protocol: '^0.1.0' },
};

describe('nextVersion', () => {
  it.each([
    ['0.1.0', 'patch', '0.1.1'],
    ['0.1.9', 'minor', '0.2.0'],
    ['0.9.9', 'major', '1.0.0'],
    ['1.2.3-next.1', 'patch', '1.2.4'],
    ['0.1.0', '0.3.0-next.0', '0.3.0-next.0'],
  ])('of %s by %s is %s', (current, asked, next) => {
    expect(nextVersion(current, asked)).toBe(next);
  });

  it.each(['', 'big', '1.2', 'v1.2.3', '1.2.3 '])('refuses %j', (asked) => {
    expect(() => nextVersion('0.1.0', asked)).toThrow('is no version');
  });
});

describe('a release', () => {
  it('raises all packages and what they ask of each other, and nothing else', () => {
    expect(withVersion(server, '0.2.0', new Set(['protocol', 'server']))).toEqual({
      ...server,
      version: '0.2.0',
      dependencies: { commander: '14.0.3', protocol: '^0.2.0' },
    });
    expect(withVersion(protocol, '0.2.0', new Set(['server']))).toEqual({ ...protocol, version: '0.2.0' });
  });

  it('publishes each package after those that it depends on', () => {
    const packages = [server, protocol].map((manifest) => ({ manifest }));
    expect(inOrder(packages).map(({ manifest }) => manifest.name)).toEqual(['protocol', 'server']);
  });

  it('puts what was unreleased under its version, and leaves room for what comes', () => {
    expect(withRelease('# Changelog\n\n## Unreleased\n\n- New.\n\n## 0.1.0\n', '0.2.0', '2026-12-24')).toBe(
      '# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-12-24\n\n- New.\n\n## 0.1.0\n',
    );
    expect(() => withRelease('# Changelog\n', '0.2.0', '2026-12-24')).toThrow('## Unreleased');
  });

  it('is possible only when the packages agree', () => {
    expect(disagreements([protocol, server])).toEqual([]);
    const apart = { ...protocol, version: '0.2.0', repository: { url: 'another' } };
    expect(disagreements([server, apart])).toEqual([
      'protocol is 0.2.0, server is 0.1.0',
      'protocol names another repository',
    ]);
    const ahead = { ...server, dependencies: { protocol: '^0.2.0' } };
    expect(disagreements([protocol, ahead])).toEqual([
      'server asks for protocol ^0.2.0, which is not ^0.1.0',
    ]);
    expect(disagreements([])).toHaveLength(1);
  });
});
