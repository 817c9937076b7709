/** By what a device was noticed. */
export type Way = 'push' | 'pull' | 'socket';

/** How far a device has been given a scope's log, as far as that is known. */
export interface DevicePosition {
  readonly version?: string;
  readonly seq?: number;
}

/** A device that has just done something. */
export interface DeviceActivity {
  /** The identity's own scope: with actor and client it names the device. */
  readonly ownScope: string;
  readonly actor: string;
  /** Its `client_id`; null: it did not say. */
  readonly client: string | null;
  readonly way: Way;
  /** The scope that it worked in. */
  readonly scope: string;
  readonly clientSchema?: string | undefined;
  readonly position?: DevicePosition | undefined;
}

/** What is to be written of one device. Times are milliseconds since 1970. */
export interface DeviceWrite {
  readonly ownScope: string;
  readonly actor: string;
  readonly client: string | null;
  readonly at: number;
  readonly ways: Readonly<Partial<Record<Way, number>>>;
  readonly clientSchema?: string;
  readonly scopes: readonly {
    readonly scope: string;
    readonly at: number;
    readonly position?: DevicePosition;
  }[];
}

export interface DeviceBounds {
  /** Devices that are remembered at a time; further ones are left out until there is room. */
  readonly devices: number;
  /** Scopes of one device between two writes. */
  readonly scopes: number;
  /** Between two writes of one device. Milliseconds. */
  readonly spacingMs: number;
}

interface Noted {
  readonly device: Pick<DeviceActivity, 'ownScope' | 'actor' | 'client'>;
  at: number;
  ways: Partial<Record<Way, number>>;
  clientSchema: string | undefined;
  scopes: Map<string, { at: number; position: DevicePosition | undefined }>;
  writtenAt: number;
}

/**
 * What devices were seen doing, until it is written. Invariant: between two writes of one device lie at least `spacingMs`, and
 * what was noted, within the bounds, is in the first write after it. A look costs what is written, however many devices rest.
 */
export class DeviceBatch {
  /** Never written, or not for a long time. */
  private readonly fresh = new Map<string, Noted>();
  /** Written a short while ago, in the order of their writes. */
  private readonly resting = new Map<string, Noted>();
  /** Activities that found no room. */
  dropped = 0;

  constructor(private readonly bounds: DeviceBounds) {}

  /** Devices that are remembered. */
  get size(): number {
    return this.fresh.size + this.resting.size;
  }

  note(activity: DeviceActivity, now: number): void {
    const { way, scope, clientSchema, position } = activity;
    const noted = this.notedOf(activity, now);
    if (!noted) return;
    noted.at = now;
    noted.ways[way] = now;
    noted.clientSchema = clientSchema ?? noted.clientSchema;
    const before = noted.scopes.get(scope);
    if (before || noted.scopes.size < this.bounds.scopes)
      noted.scopes.set(scope, { at: now, position: position ?? before?.position });
    else this.dropped += 1;
  }

  /** What is to be written now. It counts as written: what the database does not take is lost. */
  due(now: number): DeviceWrite[] {
    const open: [string, Noted][] = [];
    for (const [key, noted] of this.resting) {
      if (now - noted.writtenAt < this.bounds.spacingMs) break;
      this.resting.delete(key);
      if (noted.scopes.size > 0) open.push([key, noted]);
    }
    for (const one of this.fresh) open.push(one);
    this.fresh.clear();
    return open.map(([key, noted]) => {
      const write = writeOf(noted);
      const rested = { ways: {}, clientSchema: undefined, scopes: new Map(), writtenAt: now };
      this.resting.set(key, { ...noted, ...rested });
      return write;
    });
  }

  private notedOf({ ownScope, actor, client }: DeviceActivity, now: number): Noted | undefined {
    const key = JSON.stringify([ownScope, actor, client]);
    const known = this.resting.get(key) ?? this.fresh.get(key);
    if (known) return known;
    if (this.size >= this.bounds.devices) {
      this.dropped += 1;
      return undefined;
    }
    const noted: Noted = {
      device: { ownScope, actor, client },
      ...{ at: now, ways: {}, clientSchema: undefined, scopes: new Map(), writtenAt: now },
    };
    this.fresh.set(key, noted);
    return noted;
  }
}

function writeOf({ device, at, ways, clientSchema, scopes }: Noted): DeviceWrite {
  return {
    ...device,
    at,
    ways,
    ...(clientSchema === undefined ? {} : { clientSchema }),
    scopes: [...scopes].map(([scope, of]) => ({
      scope,
      at: of.at,
      ...(of.position ? { position: of.position } : {}),
    })),
  };
}
