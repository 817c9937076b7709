import mongoose from 'mongoose';

const HEADER_BYTES = 16;
const OP_MSG = 2013;
/** After the header: four bytes of flags, one that says which kind the first section is (0: the body). */
const BODY_AT = HEADER_BYTES + 4 + 1;

const MARKS = ['case-', 'autocommit'];

/** A command as the driver sends it. */
export interface WireCommand {
  readonly requestId: number;
  /** The body's first key: `find`, `update`, `commitTransaction` … */
  readonly name: string;
  /** The collection, for commands that have one. */
  readonly target: string;
  /** Names the transaction that it is part of: session and number. Undefined outside of transactions. */
  readonly transaction: string | undefined;
}

/** Puts whole wire messages together from what a socket gives. */
export class FrameReader {
  private rest: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    const frames: Buffer[] = [];
    while (this.rest.length >= HEADER_BYTES) {
      const length = this.rest.readInt32LE(0);
      if (this.rest.length < length) break;
      frames.push(this.rest.subarray(0, length));
      this.rest = this.rest.subarray(length);
    }
    return frames;
  }
}

/** The request that an answer belongs to. */
export function answeredRequest(frame: Buffer): number {
  return frame.readInt32LE(8);
}

/**
 * Undefined, without parsing it, for what cannot belong to a case: the legacy handshake, which is not an OP_MSG, and what has
 * neither the beginning of a case's names nor the field that every command of a transaction has.
 */
export function commandOf(frame: Buffer): WireCommand | undefined {
  if (frame.readInt32LE(12) !== OP_MSG) return undefined;
  if (!MARKS.some((mark) => frame.includes(mark))) return undefined;
  if (frame[BODY_AT - 1] !== 0) throw new Error('A message whose first section is not its body');
  const body = mongoose.mongo.BSON.deserialize(frame.subarray(BODY_AT, BODY_AT + frame.readInt32LE(BODY_AT)));
  const [name = ''] = Object.keys(body);
  const { lsid, txnNumber, autocommit } = body as {
    lsid?: { id: mongoose.mongo.Binary };
    txnNumber?: unknown;
    autocommit?: boolean;
  };
  return {
    requestId: frame.readInt32LE(4),
    name,
    target: typeof body[name] === 'string' ? body[name] : '',
    transaction: lsid && autocommit === false ? `${lsid.id.toString('hex')} ${String(txnNumber)}` : undefined,
  };
}
