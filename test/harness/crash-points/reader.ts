import type { LogChange, StreamMessage, SyncIdentity, SyncService } from 'nest-offline-sync';
import { until } from '../../support/until';
import { LEDGER, type ScopeTruth } from './truth';

/** A client that only reads a scope: by pulls from a cursor, by a subscription, and in the end by a full resync. */
export class Reader {
  private readonly pulled: string[];
  private readonly streamed: string[] = [];
  private readonly end = new AbortController();
  private cursor: string;

  private constructor(
    private readonly sync: SyncService,
    private readonly identity: SyncIdentity,
    known: ScopeTruth,
  ) {
    this.pulled = wires(known);
    this.cursor = known.head?.version ?? '';
  }

  /** @param known what it has pulled already; the subscription begins with it */
  static async open(sync: SyncService, known: ScopeTruth): Promise<Reader> {
    const reader = new Reader(sync, { scopeId: known.scope, actorId: 'reader' }, known);
    void reader.follow(sync.stream(reader.identity, {}, reader.end.signal));
    await reader.hasStreamed(known.entries.length);
    return reader;
  }

  async pull(): Promise<void> {
    const page = await this.sync.pull(this.identity, { limit: 1000, since: this.cursor });
    if (page.full_resync_required) throw new Error(`${this.identity.scopeId}: a full resync was asked for`);
    this.pulled.push(...page.changes.map((change) => JSON.stringify(change)));
    this.cursor = page.last_seq;
  }

  /** What each way of reading gave that is not the truth. */
  async findings(truth: ScopeTruth): Promise<[subject: 'pulled' | 'streamed' | 'full', text: string][]> {
    const log = wires(truth);
    await this.hasStreamed(log.length).catch(() => undefined);
    const stored = truth.documents.filter(({ collection }) => collection !== LEDGER);
    const ways = [
      ['pulled', this.pulled, log],
      ['streamed', this.streamed, log],
      [
        'full',
        (await this.full(stored.map(({ collection }) => collection))).sort(),
        stored.map((row) => row['_sync_version']).sort(),
      ],
    ] as const;
    return ways
      .filter(([, given, due]) => given.join() !== due.join())
      .map(([way, given, due]) => [
        way,
        `${truth.scope}: ${String(given.length)} of ${String(due.length)}, or not the same`,
      ]);
  }

  close(): void {
    this.end.abort();
  }

  private async follow(messages: AsyncIterable<StreamMessage>): Promise<void> {
    try {
      for await (const message of messages)
        this.streamed.push(message.kind === 'change' ? normal(message.json) : message.kind);
    } catch (error) {
      this.streamed.push(String(error));
    }
  }

  private async hasStreamed(count: number): Promise<void> {
    await until(() => this.streamed.length >= count);
  }

  /**
   * The versions of all the documents.
   *
   * @param stored the collections that have any: searching the empty ones too takes most of the time. None: all
   */
  private async full(stored: readonly string[]): Promise<string[]> {
    const { lines } = await this.sync.full(this.identity, { limit: 0, collections: [...new Set(stored)] });
    const versions: string[] = [];
    for await (const chunk of lines)
      for (const line of chunk.toString().split('\n'))
        if (line !== '') versions.push((JSON.parse(line) as { version: string }).version);
    return versions;
  }
}

function wires({ entries }: ScopeTruth): string[] {
  return entries.map(({ wire }) => normal(wire));
}

/** Without the differences in spacing that JSON allows. */
function normal(json: string): string {
  return JSON.stringify(JSON.parse(json) as LogChange);
}
