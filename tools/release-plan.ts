/** What a release writes, as plain values: versions, ranges between the packages, headings of the changelogs. */

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

const VERSION = /^(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?$/;
const UNRELEASED = '## Unreleased\n';

/**
 * @param asked `patch`, `minor`, `major`, or the version itself
 * @throws Error for anything else
 */
export function nextVersion(current: string, asked: string): string {
  if (VERSION.test(asked)) return asked;
  const [, major = 0, minor = 0, patch = 0] = (VERSION.exec(current) ?? []).map(Number);
  switch (asked) {
    case 'major':
      return `${major + 1}.0.0`;
    case 'minor':
      return `${major}.${minor + 1}.0`;
    case 'patch':
      return `${major}.${minor}.${patch + 1}`;
    default:
      throw new Error(`"${asked}" is no version: give patch, minor, major, or one such as 1.2.3.`);
  }
}

/** The manifest of a package with the version that all of them get, and with what it asks of the others raised too. */
export function withVersion(manifest: Manifest, version: string, names: ReadonlySet<string>): Manifest {
  const raised = (ranges: Manifest['dependencies']): Manifest['dependencies'] =>
    ranges &&
    Object.fromEntries(
      Object.entries(ranges).map(([name, range]) => [name, names.has(name) ? `^${version}` : range]),
    );
  const { dependencies, peerDependencies } = manifest;
  return {
    ...manifest,
    version,
    ...(dependencies ? { dependencies: raised(dependencies) } : {}),
    ...(peerDependencies ? { peerDependencies: raised(peerDependencies) } : {}),
  };
}

/**
 * The changelog with what was unreleased under the version.
 *
 * @param day such as 2026-12-24
 * @throws Error when it has no such heading
 */
export function withRelease(changelog: string, version: string, day: string): string {
  if (changelog.split(UNRELEASED).length !== 2) throw new Error('It must have one heading "## Unreleased".');
  return changelog.replace(UNRELEASED, `${UNRELEASED}\n## ${version} - ${day}\n`);
}

/** Each package after those that it depends on. */
export function inOrder<T extends { readonly manifest: Manifest }>(packages: readonly T[]): T[] {
  const sorted: T[] = [];
  const add = (one: T): void => {
    if (sorted.includes(one)) return;
    for (const name of Object.keys(one.manifest.dependencies ?? {})) {
      const needed = packages.find(({ manifest }) => manifest.name === name);
      if (needed) add(needed);
    }
    sorted.push(one);
  };
  packages.forEach(add);
  return sorted;
}

/** What keeps the packages from being released together; empty when nothing does. */
export function disagreements(manifests: readonly Manifest[]): string[] {
  const [first] = manifests;
  if (!first) return ['There are no packages.'];
  const names = new Set(manifests.map(({ name }) => name));
  return manifests.flatMap((manifest) => {
    const { name, version, dependencies, repository } = manifest;
    const raised = withVersion(manifest, first.version, names);
    return [
      ...(version === first.version ? [] : [`${name} is ${version}, ${first.name} is ${first.version}`]),
      ...Object.entries(dependencies ?? {})
        .filter(([needed, range]) => raised.dependencies?.[needed] !== range)
        .map(([needed, range]) => `${name} asks for ${needed} ${range}, which is not ^${first.version}`),
      ...(urlOf(repository) === urlOf(first.repository) ? [] : [`${name} names another repository`]),
    ];
  });
}

export function urlOf(repository: unknown): string {
  const { url } = (repository ?? {}) as { readonly url?: string };
  return url ?? '';
}
