/**
 * Releases all packages with one version: `npm run release -- minor` (or patch, major, 1.2.3).
 *
 * Raises the versions, what the packages ask of each other and the changelogs, checks the packed packages, commits, tags, and
 * publishes each package after those that it depends on. What is published already is passed over, so that a release that
 * stopped half-way is finished by the same command with its version.
 *
 * `npm run release -- --dry-run` packs everything as it is into dist/packages and says what would be published; with a
 * version it also says what would be raised. It changes no file that is in git.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  allPackages,
  faultsOf,
  packAll,
  PACKED,
  publishedPackages,
  ROOT,
  run,
  type WorkspacePackage,
} from './packages';
import { disagreements, nextVersion, urlOf, withRelease, withVersion } from './release-plan';

function main(): void {
  const { values, positionals } = parseArgs({
    options: { 'dry-run': { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const [asked] = positionals;
  const current = publishedPackages()[0]?.manifest.version ?? '';
  stopFor(disagreements(allPackages().map(({ manifest }) => manifest)));
  const version = asked === undefined ? current : nextVersion(current, asked);
  if (values['dry-run']) return preview(version, current);
  if (asked === undefined) throw new Error('Say which: npm run release -- patch, minor, major or 1.2.3.');
  if (output('git', 'status', '--porcelain') !== '') throw new Error('Commit or remove your changes first.');
  const repository = urlOf(publishedPackages()[0]?.manifest.repository);
  const origin = output('git', 'remote', 'get-url', 'origin');
  if (!samePlace(repository, origin))
    throw new Error(
      `"repository" in libs/*/package.json is ${repository}, but origin is ${origin || 'not set'}: links of the READMEs would lead nowhere.`,
    );
  if (version !== current) raise(version);
  run('npm', ['run', '--silent', 'check:package']);
  if (version !== current) {
    run('git', ['commit', '--all', '--message', `Release ${version}`]);
    run('git', ['tag', `v${version}`]);
  }
  // Packed and checked with this version just now.
  for (const one of publishedPackages()) publish(one);
  process.stdout.write(`\nReleased ${version}. What is left: git push --follow-tags\n`);
}

function preview(version: string, current: string): void {
  const packed = packAll();
  stopFor(packed.flatMap(faultsOf));
  process.stdout.write('\nWould be published, in this order:\n');
  for (const { manifest, bytes, files, tarball } of packed.filter((one) => one.manifest.private !== true))
    process.stdout.write(
      `  ${manifest.name.padEnd(34)} ${version.padEnd(10)} ${String(Math.round(bytes / 1024)).padStart(5)} kB ${String(files.length).padStart(4)} files  ${basename(tarball)}\n`,
    );
  for (const { manifest } of allPackages().filter(({ manifest: { private: hidden } }) => hidden))
    process.stdout.write(`  ${manifest.name.padEnd(34)} ${'private'.padEnd(10)} is not published\n`);
  if (version !== current)
    process.stdout.write(`All packages, and what they ask of each other, would be raised from ${current}.\n`);
  process.stdout.write('The tarballs are in dist/packages. Nothing was changed or published.\n');
}

function raise(version: string): void {
  const packages = allPackages();
  const names = new Set(packages.map(({ manifest }) => manifest.name));
  const day = new Date().toISOString().slice(0, 10);
  for (const { folder, manifest } of packages) {
    const raised = withVersion(manifest, version, names);
    writeFileSync(join(folder, 'package.json'), `${JSON.stringify(raised, null, 2)}\n`);
    if (manifest.private) continue;
    const changelog = join(folder, 'CHANGELOG.md');
    writeFileSync(changelog, withRelease(readFileSync(changelog, 'utf8'), version, day));
  }
  run('npm', ['install', '--package-lock-only', '--ignore-scripts']);
}

function publish({ manifest: { name, version } }: WorkspacePackage): void {
  if (output('npm', 'view', `${name}@${version}`, 'version') === version) {
    process.stdout.write(`${name} ${version} is published already.\n`);
    return;
  }
  run('npm', ['publish', join(PACKED, `${name}-${version}.tgz`), '--access', 'public']);
}

/** Without what differs between the ways to write one address. */
function samePlace(a: string, b: string): boolean {
  const bare = (url: string): string =>
    url
      .replace(/^git\+/, '')
      .replace(/^(ssh|https?):\/\//, '')
      .replace(/^git@/, '')
      .replace(':', '/')
      .replace(/\.git$/, '')
      .toLowerCase();
  return bare(a) === bare(b);
}

function output(command: string, ...args: string[]): string {
  return spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' }).stdout.trim();
}

function stopFor(faults: readonly string[]): void {
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

try {
  main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
