/** A text message in UTF-8. */
export interface TextMessage {
  readonly wire: Buffer;
}

/**
 * WebSocket frames of a server, ready for the wire (RFC 6455, 5.2): one unmasked text frame for each message, one after
 * the other, in one buffer that any number of sockets can be given.
 */
export function textFrames(messages: readonly TextMessage[]): Buffer {
  let size = 0;
  for (const { wire } of messages) size += headerBytes(wire.length) + wire.length;
  const frames = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { wire } of messages) {
    at = writeHeader(frames, at, wire.length);
    at += wire.copy(frames, at);
  }
  return frames;
}

const FINAL_TEXT = 0x81;
/** Lengths up to here stand in the second byte itself; those above in two or eight bytes behind it. */
const SHORT = 125;
const IN_TWO_BYTES = 126;
const IN_EIGHT_BYTES = 127;

function headerBytes(length: number): number {
  if (length <= SHORT) return 2;
  return length < 1 << 16 ? 4 : 10;
}

function writeHeader(frames: Buffer, at: number, length: number): number {
  const size = headerBytes(length);
  frames[at] = FINAL_TEXT;
  frames[at + 1] = size === 2 ? length : size === 4 ? IN_TWO_BYTES : IN_EIGHT_BYTES;
  if (size === 4) frames.writeUInt16BE(length, at + 2);
  if (size === 10) frames.writeBigUInt64BE(BigInt(length), at + 2);
  return at + size;
}
