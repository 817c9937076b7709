import { hashOf, numberOf } from '../../../libs/conformance/src/wire/digest';
import type { HeldRow, User } from './events';
import { wireTime } from './tap';
import { WireHistory } from './wire-history';

export interface DigestPart {
  readonly count: number;
  readonly hash: string;
}

/** What the server has of a scope, when nobody writes. */
export interface ServerState {
  readonly rows: ReadonlyMap<string, HeldRow>;
  readonly lastSeq: string;
  /** Of what is not deleted, by collection. */
  readonly digests: ReadonlyMap<string, DigestPart>;
  /** All that the log names, since the server began. */
  readonly mutations: ReadonlySet<string>;
}

/** Asks the server past all that stands between it and the devices. */
export class ServerEye {
  private readonly cursors = new Map<string, string>();
  private readonly mutations = new Map<string, Set<string>>();

  private asked = 0;

  /** @param wires hears what is read of the log, as one of its readers */
  constructor(
    private readonly url: string,
    private readonly wires = new WireHistory(''),
  ) {}

  async state(user: User, scope: string | undefined): Promise<ServerState> {
    const query = scope === undefined ? '' : `&scope=${encodeURIComponent(scope)}`;
    const rows = new Map<string, HeldRow>();
    let page = '';
    do {
      const lines = (await this.text(user, `/sync/full?limit=1000${query}${page}`)).trim().split('\n');
      for (const line of lines) {
        const row = JSON.parse(line) as Record<string, unknown>;
        if (row['end'] === true) page = typeof row['cursor'] === 'string' ? `&cursor=${row['cursor']}` : '';
        else rows.set(keyOf(row['collection'] as string, row['doc_id'] as string), rowOf(row));
      }
    } while (page !== '');
    const digest = JSON.parse(await this.text(user, `/sync/digest?x${query}`)) as {
      last_seq: string;
      collections: { collection: string; live: DigestPart }[];
    };
    return {
      rows,
      lastSeq: digest.last_seq,
      digests: new Map(digest.collections.map(({ collection, live }) => [collection, live])),
      mutations: await this.logged(user, scope ?? user.business, query),
    };
  }

  async push(user: User, changes: readonly object[], scope?: string): Promise<void> {
    const sent = { client_id: 'check', changes, ...(scope === undefined ? {} : { scope }) };
    const text = await this.text(user, '/sync/push', JSON.stringify(sent));
    if (text.includes('"rejected"')) throw new Error(`Push: ${text}`);
  }

  private async logged(user: User, scope: string, query: string): Promise<ReadonlySet<string>> {
    const found = this.mutations.get(scope) ?? new Set();
    this.mutations.set(scope, found);
    for (;;) {
      const since = this.cursors.get(scope);
      const from = since === undefined ? '' : `&since=${since}`;
      const page = JSON.parse(await this.text(user, `/sync/pull?limit=1000${query}${from}`)) as {
        changes: { mutation_id?: string }[];
        last_seq: string;
        has_more: boolean;
      };
      for (const { mutation_id: id } of page.changes) if (id !== undefined) found.add(id);
      this.cursors.set(scope, page.last_seq);
      if (!page.has_more) return found;
    }
  }

  /** @param body of a push */
  private async text(user: User, path: string, body?: string): Promise<string> {
    const of = { own: user.business, page: FINAL, id: ++this.asked };
    this.wires.hear(FINAL, FINAL, { ...of, at: wireTime(), of: 'request', path, body });
    const answer = await fetch(`${this.url}${path}`, {
      headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { method: 'POST', body }),
    });
    const text = await answer.text();
    this.wires.hear(FINAL, FINAL, { ...of, at: wireTime(), of: 'answer', status: answer.status, text });
    if (answer.status !== 200) throw new Error(`${path}: ${String(answer.status)} ${text}`);
    return text;
  }
}

/** The oracles know by the name that it reads everything, when nobody writes. */
const FINAL = 'final';

export function keyOf(collection: string, id: string | number): string {
  return `${collection} ${JSON.stringify(id)}`;
}

function rowOf(row: Record<string, unknown>): HeldRow {
  return {
    collection: row['collection'] as string,
    id: row['doc_id'] as string | number,
    version: row['version'] as string | null,
    data: row['deleted'] === true ? null : (row['data'] as object),
  };
}

/** As the server counts what is not deleted. */
export function digestOf(collection: string, rows: Iterable<HeldRow>): DigestPart {
  const live = [...rows].filter((row) => row.collection === collection && row.data && row.version);
  const numbers = live.map(({ id, version }) =>
    numberOf({
      ...{ collection, docId: String(id), version: version ?? '' },
      ...(typeof id === 'number' ? { numericId: true as const } : {}),
    }),
  );
  return { count: live.length, hash: hashOf(numbers) };
}
