import type {
  FullResyncResponse,
  LogChange,
  PullPageResponse,
  ResyncReason,
} from 'nest-offline-sync-protocol';
import type { LogEntry } from '../log/entry';

const BEGINNING = '{"changes":[';
const COMMA = 44;

/** One page of a pull. Its `body` joins the entries' own bytes: nothing is parsed or encoded again. */
export class PullPage implements PullPageResponse {
  readonly full_resync_required = false;
  private parsed: readonly LogChange[] | undefined;

  constructor(
    /** In order of their versions. */
    readonly entries: readonly LogEntry[],
    /** Where the next pull goes on: never below the asked `since`. */
    readonly last_seq: string,
    /** The same as a plain integer; 0 for the zero cursor. */
    readonly seq: number,
    /** Whether to ask again at once. */
    readonly has_more: boolean,
  ) {}

  /** The entries as typed values, parsed when first asked for. */
  get changes(): readonly LogChange[] {
    return (this.parsed ??= this.entries.map(({ wire }) => JSON.parse(wire.toString()) as LogChange));
  }

  /** The answer's body, in UTF-8. */
  get body(): Buffer {
    const { entries, last_seq, seq, has_more } = this;
    const end = `],${JSON.stringify({ last_seq, seq, has_more }).slice(1)}`;
    const body = Buffer.allocUnsafe(
      entries.reduce((sum, { wire }) => sum + wire.length + 1, BEGINNING.length + Buffer.byteLength(end)),
    );
    let at = body.write(BEGINNING);
    for (const { wire } of entries) {
      at += wire.copy(body, at);
      body[at++] = COMMA;
    }
    if (entries.length > 0) at -= 1;
    return body.subarray(0, at + body.write(end, at));
  }

  /** The answer's body as text. */
  get json(): string {
    return this.body.toString();
  }

  toJSON(): object {
    const { changes, last_seq, seq, has_more } = this;
    return { changes, last_seq, seq, has_more };
  }
}

/** The client has to load everything again (GET full), keep its unsent changes, and pull from there. */
export class FullResyncRequired implements FullResyncResponse {
  readonly full_resync_required = true;

  constructor(
    readonly collections: readonly string[],
    readonly reason: ResyncReason,
  ) {}

  get body(): Buffer {
    return Buffer.from(this.json);
  }

  get json(): string {
    return JSON.stringify(this);
  }

  toJSON(): object {
    const { full_resync_required, collections, reason } = this;
    return { full_resync_required, collections, reason };
  }
}

export type PullAnswer = PullPage | FullResyncRequired;
