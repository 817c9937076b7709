import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import packageJson from '../../../libs/sync/package.json';
import { testDatabase } from '../../support/database';

const OPTIONAL = Object.keys(packageJson.peerDependenciesMeta);

/** What {@link file://./support/lean-app.ts} prints in a process where some packages are not to be found. */
async function startWithout(packages: readonly string[], options: string): Promise<Record<string, unknown>> {
  const hooks = ['ts-hook', 'refuse-packages'].flatMap((name) => [
    '-r',
    join(__dirname, `../../support/${name}.cjs`),
  ]);
  const child = spawn(process.execPath, [...hooks, join(__dirname, '../../support/lean-app.ts'), options], {
    env: {
      ...process.env,
      TEST_MONGODB_URI: testDatabase(__filename).uri,
      REFUSED_PACKAGES: packages.join(),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (out === '') throw new Error(err);
  return JSON.parse(out) as Record<string, unknown>;
}

describe('an app without the optional packages', () => {
  it('has every package as an optional peer that an option needs, and jose nowhere', () => {
    expect(OPTIONAL).toEqual(
      expect.arrayContaining([
        '@nestjs/passport',
        '@nestjs/platform-ws',
        '@nestjs/terminus',
        '@nestjs/websockets',
        'class-transformer',
        'class-validator',
        'jwks-rsa',
        'passport',
        'passport-jwt',
        'prom-client',
      ]),
    );
    expect(Object.keys(packageJson.dependencies)).not.toContain('jose');
  });

  it('starts and syncs with its own guard', async () => {
    expect(await startWithout(OPTIONAL, 'guard')).toEqual({ status: 'accepted' });
  });

  it('with jwt.secret needs no jwks-rsa', async () => {
    expect(await startWithout(['jwks-rsa'], 'jwt')).toEqual({ status: 'accepted' });
  });

  it.each([
    ['jwt', ['@nestjs/passport'], 'jwt', 'npm install @nestjs/passport passport passport-jwt'],
    ['jwt', ['passport-jwt'], 'jwt', 'npm install @nestjs/passport passport passport-jwt'],
    ['jwt', ['passport'], 'jwt', 'npm install @nestjs/passport passport passport-jwt'],
    ['jwks', ['jwks-rsa'], 'jwt.jwksUri', 'npm install jwks-rsa@3'],
    ['dto', ['class-validator'], 'collections.notes.dto', 'npm install class-validator class-transformer'],
    ['dto', ['class-transformer'], 'collections.notes.dto', 'npm install class-validator class-transformer'],
    ['metrics', ['prom-client'], 'metricsEnabled', 'npm install prom-client'],
  ])('is refused %s without %j, with the line that installs it', async (options, packages, path, install) => {
    const refused = await startWithout(packages, options);
    expect(refused).toMatchObject({ name: 'SyncError', code: 'configuration', path });
    expect(refused['message']).toContain(install);
  });

  it('gets the right message when a package is installed but broken', async () => {
    expect(await startWithout(['jose'], 'jwks')).toMatchObject({
      message: expect.stringContaining("'jose'") as string,
    });
  });
});
