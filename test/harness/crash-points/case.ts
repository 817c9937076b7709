import type { mongo } from 'mongoose';
import type { PushResult, SyncIdentity, SyncService } from 'nest-offline-sync';

/** One push of a case: always the same body, so that sending it again is a retry. */
export interface Push {
  readonly scope: string;
  /** The identity's own scope, where it is another one. */
  readonly own?: string;
  readonly changes: readonly object[];
  readonly atomic?: 'batch' | 'mutation';
}

/** A process that the app's own code runs in. */
export interface Host {
  readonly sync: SyncService;
  readonly client: mongo.MongoClient;
  readonly db: mongo.Db;
}

/**
 * A kind of request: pushes that reach a process together, or a write of the app.
 *
 * The pushes wait in the order of the list, before the first of them sends its first command; it has the only lane, and
 * the others share what comes next.
 */
export interface Kind {
  readonly name: string;
  /** Letters; without: `a`. */
  readonly scopes?: readonly string[];
  /** What is there before. Runs once for all runs of the kind: each begins with a copy of what it left. */
  readonly seed?: (on: Case) => Promise<unknown>;
  readonly pushes?: (on: Case) => Push[];
  readonly write?: (on: Case, host: Host) => Promise<unknown>;
  /** Another client's work, once in each run, just before the first command that `before` describes. */
  readonly meanwhile?: { readonly before: string; readonly work: (on: Case) => Promise<unknown> };
  /** Its transaction runs in the app's own session: when the process dies, MongoDB alone ends it, after a minute. */
  readonly ownSession?: boolean;
  /** Its changes have no mutation_id: the client looks before it sends again, as the protocol asks. */
  readonly unidentified?: boolean;
}

/** One run of one kind, in its own scopes. */
export class Case {
  private readonly done = new Set<string>();
  /** The newest versions that the seed has left, by document id, and others that it keeps for parents. */
  readonly versions: Record<string, string> = {};
  pushes: readonly Push[] = [];
  /** All its requests wait in its process. */
  readonly sent: Promise<void>;
  allSent: () => void = () => undefined;

  /** @param survivor the process that seeds, recovers and reads */
  constructor(
    readonly id: number,
    readonly kind: Kind,
    private readonly survivor: SyncService,
  ) {
    this.sent = new Promise((resolve) => (this.allSent = resolve));
  }

  /** What the case's scopes and global ids are made of: the proxy recognizes the case by it. */
  get prefix(): string {
    return `case-${String(this.id)}-`;
  }

  /** The name of one of the case's scopes, or of a document with a global id. */
  named(letter: string): string {
    return `${this.prefix}${letter}`;
  }

  get scopes(): string[] {
    return (this.kind.scopes ?? ['a']).map((letter) => this.named(letter));
  }

  /** Of the app itself. */
  identity(letter: string): SyncIdentity {
    return { scopeId: this.named(letter), actorId: 'app' };
  }

  /** A push of the scope's device, and its answer, as both travel. */
  async send(
    { scope, own, changes, atomic }: Push,
    to: Pick<SyncService, 'push'> = this.survivor,
  ): Promise<PushResult[]> {
    const identity = { scopeId: this.named(own ?? scope), actorId: 'ann' };
    const named = own === undefined ? {} : { scope: this.named(scope) };
    const body: unknown = JSON.parse(JSON.stringify({ client_id: 'device', changes, atomic, ...named }));
    return JSON.parse(JSON.stringify((await to.push(identity, body)).results)) as PushResult[];
  }

  /** Another client's push, through the survivor. */
  async others(scope: string, ...changes: readonly object[]): Promise<PushResult[]> {
    const results = await this.send({ scope, changes });
    for (const { doc_id, new_version } of results)
      if (new_version !== null) this.versions[String(doc_id)] = new_version;
    return results;
  }

  /** Does something once in the case's life, however often its process tries. */
  async once(name: string, work: () => Promise<unknown>): Promise<void> {
    if (this.done.has(name)) return;
    this.done.add(name);
    await work();
  }

  /** Called when the seed is there. */
  preparePushes(): void {
    this.pushes = this.kind.pushes?.(this) ?? [];
  }
}
