import { randomBytes } from 'node:crypto';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { upsert } from '../../support/http-app';
import { testDatabase } from '../../support/database';
import type { HttpStep, RawStep, Step } from './attacks';
import { secretsIn } from './leaks';
import { fillIn, saidBy, type Learnt, type Lexicon } from './lexicon';
import { exchange, type RawExchange } from './raw-http';
import { tokensOf } from './tokens';
import { dataOf, drawSecrets, GLOBAL, hiddenTexts, startWorld, type Secrets, type World } from './world';

/** What one run of B knows and has said. */
export interface Bob {
  readonly scope: string;
  readonly lexicons: readonly [Lexicon, Lexicon];
  said: string;
}

/**
 * Two servers with the same clock: in the first, tenant A exists; in the second it does not, and its ids in global
 * collections belong to nobody. Whatever B sends to both, the answers must be the same, byte for byte, versions and
 * counters included: so B can infer nothing of A but that a global id is taken (invariant 5).
 */
export class Duel {
  requests = 0;
  private runs = 0;
  private hash = '';

  private constructor(
    readonly secrets: Secrets,
    readonly worlds: readonly [World, World],
  ) {}

  static async begin(fileName: string): Promise<Duel> {
    const secrets = drawSecrets();
    const withAlice = await startWorld(testDatabase(fileName).uri, secrets, true);
    const without = await startWorld(testDatabase(fileName).uri, secrets, false);
    const duel = new Duel(secrets, [withAlice, without]);
    await duel.settle();
    return duel;
  }

  async end(): Promise<void> {
    for (const { app } of this.worlds) await app.close();
  }

  /** A tenant that was never there before, the same in both worlds. */
  newBob(): Bob {
    const run = ++this.runs;
    const scope = `b${String(run)}`;
    const tokens = tokensOf(scope, run, this.secrets);
    const lexicon = (): Lexicon => ({
      secrets: this.secrets,
      alicePages: this.worlds[0].pages,
      bobScope: scope,
      tokens,
      learnt: { versions: [], pages: [] },
    });
    return { scope, lexicons: [lexicon(), lexicon()], said: '' };
  }

  /** One run: every check after every step. Afterwards B's documents are gone, so that runs do not depend on each other. */
  async run(steps: readonly Step[]): Promise<void> {
    const bob = this.newBob();
    try {
      for (const step of steps) {
        if (step.kind === 'alice') await this.alicePushes(step.collection, step.changes);
        else await this.send(bob, step);
      }
      await this.nothingInLogs();
    } finally {
      await this.forget();
    }
  }

  async send(bob: Bob, step: HttpStep | RawStep): Promise<void> {
    this.tick();
    const written =
      step.kind === 'raw' ? step.text : [step.target, ...step.headers, step.body ?? ''].join('\n');
    bob.said += saidBy(written, bob.lexicons[0]);
    this.requests++;
    const alongside = step.kind === 'http' && step.alongside ? this.aliceAlongside() : undefined;
    const [real, control] = (await Promise.all(
      this.worlds.map(({ port }, at) => exchange(port, render(step, bob.lexicons[at]!))),
    )) as [RawExchange, RawExchange];
    this.nothingOfAlice(bob, real.bytes, ...real.answers.map(({ body }) => body));
    noServerError(real);
    if (alongside) {
      await alongside;
      await this.settle();
    }
    same(outline(real), outline(control));
    learn(bob.lexicons[0].learnt, real);
    learn(bob.lexicons[1].learnt, control);
    await this.aliceUnchanged();
  }

  /** A writes, in the world where it exists; time goes on in both. */
  async alicePushes(collection: string, count: number): Promise<void> {
    this.tick();
    const { alice } = this.worlds[0];
    const ids = Array.from({ length: count }, (_, n) => this.secrets.ids[n % 4]);
    const changes = ids.map((id) => upsert(collection, id, dataOf(collection, this.secrets)));
    const results = (await alice?.push(changes, { atomic: 'mutation' })) ?? [];
    for (const { new_version } of results) if (new_version) this.secrets.versions.push(new_version);
    await this.settle();
  }

  /**
   * Another tenant that is not in the world without A, and has written nothing yet.
   *
   * @returns makes it push some documents, each secret
   */
  newNeighbour(): (count: number) => Promise<void> {
    const device = this.worlds[0].app.as(randomBytes(9).toString('hex'));
    let written = 0;
    return async (count) => {
      this.tick();
      const changes = Array.from({ length: count }, (_, n) =>
        upsert('notes', String(written + n), dataOf('notes', this.secrets)),
      );
      written += count;
      for (const { new_version } of await device.push(changes)) this.secrets.versions.push(new_version!);
    };
  }

  /**
   * A's pushes that share transactions with what B sends now, stale ones and retries among them. In the same millisecond A may draw
   * the versions that B draws, so these are no secrets.
   */
  private async aliceAlongside(): Promise<void> {
    const { alice, pushed } = this.worlds[0];
    const parent_version = this.secrets.versions[0];
    if (!alice) return;
    const pushes = ['settled', 'merged', 'notes'].map((collection) => {
      const ids = this.secrets.ids.slice(0, 4);
      const changes = ids.map((id) =>
        upsert(collection, id, dataOf(collection, this.secrets), { parent_version }),
      );
      return alice.push(changes, { atomic: 'mutation' });
    });
    await Promise.all([...pushes, alice.push(pushed)]);
  }

  /** @throws Error with what came out; the text names no secret that was not drawn for this test */
  nothingOfAlice(bob: Bob, ...received: Buffer[]): void {
    const hidden = hiddenTexts(this.secrets);
    // Opaque texts of B's own may come back as they were sent, in an app's 404 for a path: that reveals nothing.
    const opaque = [
      ...this.worlds[0].pages,
      ...Object.values(bob.lexicons[0].tokens).map((token) => token.slice(7)),
    ];
    const heard = received.map((bytes) =>
      opaque.reduce((text, own) => (own === '' ? text : text.replaceAll(own, '')), bytes.toString('latin1')),
    );
    const found = heard
      .flatMap((text) => secretsIn(Buffer.from(text, 'latin1'), hidden))
      .filter((text) => !bob.said.includes(text));
    if (found.length > 0)
      throw new Error(
        `B received ${found.join(', ')} of A:\n${received.map(String).join('\n').slice(0, 4_000)}`,
      );
  }

  async aliceUnchanged(): Promise<void> {
    if ((await this.worlds[0].hashOfAlice()) !== this.hash) throw new Error('The data of A has changed');
    const shown = this.worlds.flatMap(({ conflicts }) => conflicts);
    if (
      shown.some(
        ({ identity, current, base }) =>
          identity.scopeId !== this.secrets.scope && this.isOfAlice([current, base]),
      )
    )
      throw new Error('A resolver of B was shown a document of A');
  }

  /** Before each step: what is drawn now differs from what was drawn before. */
  tick(): void {
    for (const { clock } of this.worlds) clock.advance(1);
  }

  async nothingInLogs(): Promise<void> {
    for (const { app } of this.worlds) {
      const text = [...app.logs, await app.registry.metrics()].join('\n');
      const found = secretsIn(Buffer.from(text), hiddenTexts(this.secrets));
      if (found.length > 0) throw new Error(`A log or a metric holds ${found.join(', ')}`);
    }
  }

  async forget(): Promise<void> {
    for (const { app } of this.worlds)
      for (const name of GLOBAL)
        await app.db
          .collection(name)
          .deleteMany({ _sync_scope_id: { $exists: true, $ne: this.secrets.scope } });
  }

  private async settle(): Promise<void> {
    this.hash = await this.worlds[0].hashOfAlice();
  }

  private isOfAlice(shown: unknown): boolean {
    const text = JSON.stringify(shown);
    return this.secrets.fields.some((field) => text.includes(field));
  }
}

function render(step: HttpStep | RawStep, lexicon: Lexicon): Buffer {
  if (step.kind === 'raw') return Buffer.from(fillIn(step.text, lexicon));
  const text = step.body === null ? undefined : Buffer.from(fillIn(step.body, lexicon));
  const body =
    text && step.encoding === 'gzip'
      ? gzipSync(text)
      : text && step.encoding === 'br'
        ? brotliCompressSync(text)
        : text;
  const said = step.encoding === 'lie' ? 'gzip' : step.encoding;
  const head = [
    `${step.method} ${step.target} HTTP/1.1`,
    'Host: app.example',
    ...step.headers,
    ...(step.encoding === 'plain' ? [] : [`Content-Encoding: ${said}`]),
    ...(body ? [`Content-Length: ${String(body.length)}`] : []),
    'Connection: close',
  ].map((line) => fillIn(line, lexicon));
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), ...(body ? [body] : [])]);
}

function noServerError({ answers }: RawExchange): void {
  for (const { status, body } of answers) {
    if (status === 0) throw new Error(`No HTTP came back: ${body.toString('latin1').slice(0, 500)}`);
    const isCoded = (): boolean =>
      typeof (JSON.parse(body.toString()) as { code?: unknown }).code === 'string';
    if (status >= 500 && !(status === 503 && isCoded()))
      throw new Error(`The server failed with ${String(status)}: ${body.toString().slice(0, 500)}`);
  }
}

function outline({ answers, close }: RawExchange): string {
  return [...answers.map(({ head, body }) => `${head}\n\n${body.toString('latin1')}`), close].join('\n---\n');
}

/** @throws Error with both, when they differ */
export function same(real: string, control: string): void {
  if (real === control) return;
  const at = [...real].findIndex((letter, index) => letter !== control[index]);
  const from = Math.max(0, at - 300);
  throw new Error(
    `B can tell that A exists. With A:\n${real.slice(from, from + 900)}\nWithout A:\n${control.slice(from, from + 900)}`,
  );
}

function learn(learnt: Learnt, { answers }: RawExchange): void {
  for (const { head, body } of answers) {
    for (const [, version] of body.toString().matchAll(/"(?:new_version|last_seq)":"([^"]+)"/g))
      if (!learnt.versions.includes(version!)) learnt.versions.unshift(version!);
    const page = /^x-sync-cursor: (.*)$/im.exec(head)?.[1];
    if (page !== undefined) learnt.pages.unshift(page);
  }
}
