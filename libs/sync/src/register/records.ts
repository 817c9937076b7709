import type { mongo } from 'mongoose';

/** Identifies a device. An embedded document, never joined strings, so that no two can meet. */
export interface DeviceKey {
  /** The identity's own scope. */
  readonly scope: string;
  readonly actor: string;
  /** Null: the devices of this actor that do not say their `client_id`, taken together. */
  readonly client: string | null;
}

/** A device, as it was last noticed. It expires by `at`. */
export interface DeviceRecord {
  readonly _id: DeviceKey;
  readonly at: Date;
  readonly firstAt: Date;
  readonly pushAt?: Date;
  readonly pullAt?: Date;
  readonly socketAt?: Date;
  readonly clientSchema?: string;
  /** By the scope's id in base64url, which is a field's name whatever the id holds. */
  readonly scopes: Readonly<Record<string, DeviceScope>>;
}

export interface DeviceScope {
  readonly scope: string;
  readonly at: Date;
  /** Up to where it was given the scope's log. */
  readonly version?: string;
  readonly seq?: number;
}

/** A refused change. It expires by `at`. */
export interface RefusedRecord {
  readonly _id: mongo.ObjectId;
  readonly at: Date;
  /** The scope that it was pushed into. */
  readonly scope: string;
  /** The identity's own scope, where that is another one. */
  readonly ownScope?: string;
  readonly actor: string;
  readonly client: string;
  readonly clientSchema?: string;
  readonly collection: string | null;
  readonly doc: string | number | null;
  readonly operation: string | null;
  readonly mutation: string | null;
  readonly code: string;
  readonly error: string | null;
  /** The change as it was sent, as JSON. */
  readonly body?: string;
  /** How often it was applied again, and refused. */
  readonly tries: number;
  /** What it was answered when it was last applied again. */
  readonly again?: { readonly at: Date; readonly status: string; readonly code: string | null };
}
