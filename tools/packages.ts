import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inOrder, type Manifest } from './release-plan';

export const ROOT = join(__dirname, '..');
/** Where {@link packAll} puts the tarballs. */
export const PACKED = join(ROOT, 'dist/packages');

export interface WorkspacePackage {
  readonly folder: string;
  readonly manifest: Manifest;
}

export interface PackedPackage extends WorkspacePackage {
  readonly tarball: string;
  readonly files: readonly string[];
  /** Of the tarball. */
  readonly bytes: number;
}

/** All packages of libs/, each after those that it depends on. */
export function allPackages(): WorkspacePackage[] {
  return inOrder(
    readdirSync(join(ROOT, 'libs'))
      .map((name) => join(ROOT, 'libs', name))
      .filter((folder) => existsSync(join(folder, 'package.json')))
      .map((folder) => ({ folder, manifest: readJson(join(folder, 'package.json')) as Manifest })),
  );
}

export function publishedPackages(): WorkspacePackage[] {
  return allPackages().filter(({ manifest }) => manifest.private !== true);
}

/**
 * Builds from nothing, so that no file of an earlier build gets in, and packs everything, also what is not published yet: it is
 * checked as it will be.
 *
 * @throws Error when a step fails
 */
export function packAll(): PackedPackage[] {
  for (const { folder } of allPackages())
    for (const built of ['dist', 'esm/dist']) rmSync(join(folder, built), { recursive: true, force: true });
  rmSync(PACKED, { recursive: true, force: true });
  mkdirSync(PACKED, { recursive: true });
  run('npm', ['run', '--silent', 'build']);
  // For clients in other languages.
  cpSync(join(ROOT, 'test/fixtures/wire'), join(ROOT, 'libs/protocol/dist/wire'), { recursive: true });
  return allPackages().map((one) => {
    const args = ['pack', '--json', '--pack-destination', PACKED];
    const { stdout, status, stderr } = spawnSync('npm', args, { cwd: one.folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`npm pack of ${one.manifest.name} failed:\n${stderr}`);
    const [packed] = JSON.parse(stdout) as [{ filename: string; size: number; files: { path: string }[] }];
    return {
      ...one,
      tarball: join(PACKED, packed.filename),
      files: packed.files.map(({ path }) => path),
      bytes: packed.size,
    };
  });
}

/** What a tarball lacks or should not have; empty when it is as it should be. */
export function faultsOf({ manifest, files }: Pick<PackedPackage, 'manifest' | 'files'>): string[] {
  const missing = ['README.md', 'LICENSE', 'CHANGELOG.md'].filter((name) => !files.includes(name));
  const surplus = files.filter(
    (name) =>
      /(\.spec\.|\.e2e\.|\.tsbuildinfo$|(^|\/)test\/|node_modules)/.test(name) || /(?<!\.d)\.ts$/.test(name),
  );
  return [
    ...missing.map((name) => `${manifest.name} has no ${name}`),
    ...surplus.map((name) => `${manifest.name} has ${name}, which is for nobody who installs it`),
  ];
}

/** @throws Error when the command ends with another status than 0 */
export function run(command: string, args: readonly string[]): void {
  const { status } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${String(status)}.`);
}

export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
