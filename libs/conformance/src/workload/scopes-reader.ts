import type { StreamEvent } from '../history';
import type { Device } from '../wire/device';
import { ScopesSocket } from '../wire/scopes-socket';
import type { Party } from './party';
import { pause } from './pause';
import { Random } from './random';
import type { Reader } from './reader';

type StreamWhat = StreamEvent['what'];

interface Place {
  readonly party: Party;
  readonly device: Device;
  cursor: string | null;
  needsFull: boolean;
  subscribed: boolean;
}

const AGAIN_MS = 400;

/** A device that follows all scopes of its identity on one socket, each from its own cursor. */
export class ScopesReader implements Reader {
  readonly name: string;
  private readonly places = new Map<string, Place>();
  private readonly random: Random;
  private readonly device: Device;
  private connections = 0;

  constructor(
    private readonly main: Party,
    named: readonly Party[],
  ) {
    this.name = `${main.label}-stream-scopes`;
    this.random = new Random(main.settings.seed, this.name);
    for (const party of named)
      this.places.set(party.scope?.name ?? '', {
        ...{ party, device: party.device() },
        ...{ cursor: null, needsFull: false, subscribed: false },
      });
    this.device = main.device();
  }

  async follow(end: AbortSignal, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      this.connections += 1;
      const socket = new ScopesSocket(
        this.device,
        this.main.settings.streamPath,
        (scope) => this.places.get(scope)?.party.credentials,
        (scope, what) => {
          if (!over.aborted) this.note(scope, what);
        },
      );
      const closed = new AbortController();
      const closing = socket.closed.then(() => closed.abort());
      const close = (): void => socket.close();
      over.addEventListener('abort', close, { once: true });
      // Not for ever: coming back is part of it.
      const leaveAt = performance.now() + this.random.between(5_000, 20_000);
      await socket.opened;
      while (!closed.signal.aborted && !over.aborted && (end.aborted || performance.now() < leaveAt)) {
        for (const [scope, place] of this.places) {
          if (place.needsFull) await this.full(place);
          if (!place.subscribed && !place.needsFull) socket.subscribe(scope, place.cursor);
        }
        await pause(AGAIN_MS, closed.signal, over);
      }
      socket.close();
      await closing;
      over.removeEventListener('abort', close);
      for (const place of this.places.values()) place.subscribed = false;
      await pause(this.random.between(10, 200), over);
    }
  }

  reached(): boolean {
    return [...this.places.values()].every(({ party, cursor, needsFull }) => {
      const target = party.target(null);
      return target === null || (!needsFull && cursor !== null && cursor >= target);
    });
  }

  private note(scope: string, what: StreamWhat): void {
    const place = this.places.get(scope);
    if (place === undefined) return;
    const { party } = place;
    // What was never subscribed to does not end.
    if (what.is === 'closed' && !place.subscribed) return;
    const event: StreamEvent = {
      kind: 'stream',
      ...party.log,
      ...{ reader: this.name, connection: this.connections, at: party.journal.now(), what },
    };
    party.journal.add(event);
    if (what.is === 'subscribed') place.subscribed = true;
    else if (what.is !== 'entry' && what.is !== 'ping') place.subscribed = false;
    const version = what.is === 'entry' ? what.entry.version : what.is === 'ping' ? what.lastSeq : null;
    if (version !== null && (place.cursor === null || version > place.cursor)) place.cursor = version;
    if (what.is === 'resync') place.needsFull = true;
  }

  private async full(place: Place): Promise<void> {
    const { rows, lastSeq } = await place.party.full(place.device, this.name, 0);
    if (rows === null || lastSeq === null) return;
    place.cursor = lastSeq;
    place.needsFull = false;
  }
}
