import { isObject, type SyncInfo } from 'nest-offline-sync-protocol';
import { allowScope, coverOnly, denyCollections, denyScope, loseCollections, loseScope } from './access.ts';
import { ask } from './reading.ts';
import type { Replica } from './replica.ts';
import type { Failure } from './rules/failure.ts';
import { confirmAt, deniesCollection, deniesScope, type AccessLost } from './rules/rights.ts';
import type { Transport } from './transport.ts';

export interface AccessPorts {
  readonly transport: Transport;
  /** The collections of the client's options. */
  readonly collections: readonly string[];
  /** Asks GET info again, and begins from there. */
  readonly again: () => void;
  readonly lost: (lost: AccessLost) => void;
}

const LOOK_MS = 600_000;

/** What the server lets this replica read. Where it denies something, it is asked once more later, and then that is taken away. */
export class AccessWatch {
  readable: readonly string[] = [];
  /** Of these, what gives a full resync. */
  loadable: readonly string[] = [];
  private isScopeDenied = false;
  /** GET info was asked because of a denial, and nothing has worked since. */
  private hasAsked = false;
  private end: (() => void) | undefined;

  constructor(
    private readonly replica: Replica,
    private readonly ports: AccessPorts,
  ) {}

  stop(): void {
    this.end?.();
    this.end = undefined;
    this.hasAsked = false;
  }

  /** Something of the scope was read. */
  async worked(): Promise<void> {
    this.hasAsked = false;
    await this.allowed();
  }

  private async allowed(): Promise<void> {
    if (!this.isScopeDenied) return;
    this.isScopeDenied = false;
    await allowScope(this.replica);
  }

  /** @returns when GET info is to be asked what is denied: at once, or after a pause, since it has not helped before */
  async failed(failure: Failure): Promise<'ask' | 'ask-later' | undefined> {
    if (this.replica.scope !== undefined && deniesScope(failure)) {
      this.isScopeDenied = true;
      const lost =
        (await denyScope(this.replica)) && (await loseScope(this.replica, this.ports.collections, failure));
      if (lost) this.ports.lost(lost);
      return undefined;
    }
    if (!deniesCollection(failure)) return undefined;
    const isFirst = !this.hasAsked;
    this.hasAsked = true;
    return isFirst ? 'ask' : 'ask-later';
  }

  /** The server has said what may be read. What it leaves out is asked for by name: only a refusal of that counts. */
  async informed(info: SyncInfo): Promise<void> {
    const { replica, ports } = this;
    this.take(info);
    const { scope, collections } = await replica.meta('denials');
    this.isScopeDenied = scope !== undefined;
    await this.allowed();
    const left = await coverOnly(replica, this.readable);
    const suspects = new Set([...left, ...Object.keys(collections)]);
    const denied: string[] = [];
    for (const name of ports.collections) {
      if (!suspects.has(name) || this.readable.includes(name)) continue;
      const answer = await ask(replica, ports.transport, 'pull', { collections: name, limit: '1' });
      if (!answer.ok && deniesCollection(answer.failure)) denied.push(name);
    }
    const { lost, denials } = await denyCollections(replica, denied);
    if (lost.length > 0) ports.lost(await loseCollections(replica, lost));
    this.lookAt(confirmAt(denials));
  }

  private take({ collections }: SyncInfo): void {
    const known = new Map(collections.map((each) => [each.name, each.full_resync]));
    this.readable = this.ports.collections.filter((name) => known.has(name));
    this.loadable = this.readable.filter((name) => known.get(name));
  }

  /** @param at when what is denied has to be confirmed */
  private lookAt(at: number | undefined): void {
    this.end?.();
    const { environment } = this.replica;
    const isAll = this.readable.length === this.ports.collections.length;
    if (at !== undefined) this.end = environment.timer(at - environment.now(), () => this.ports.again());
    else this.end = isAll ? undefined : environment.timer(LOOK_MS, () => void this.look());
  }

  /** Whether there is more by now. */
  private async look(): Promise<void> {
    const answer = await ask(this.replica, this.ports.transport, 'info', {});
    // It was stopped meanwhile.
    if (!this.end) return;
    const told = answer.ok && isObject(answer.body) ? answer.body['collections'] : undefined;
    const names = new Set<unknown>(
      Array.isArray(told) ? (told as SyncInfo['collections']).map(({ name }) => name) : this.readable,
    );
    const now = this.ports.collections.filter((name) => names.has(name));
    if (now.join() === this.readable.join()) this.lookAt(undefined);
    else this.ports.again();
  }
}
