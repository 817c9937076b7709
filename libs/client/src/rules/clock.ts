import { formatHlc, parseHlc, sendHlc, ZERO_HLC, compareHlc, type Hlc } from 'nest-offline-sync-protocol';
import type { Mutation } from './mutation.ts';

/** What a device needs to stamp an edit. */
export interface ClockReading {
  /** The device's own clock, which may be wrong. Milliseconds. */
  readonly deviceNow: number;
  /** How far the server's clock is ahead of the device's. Milliseconds. */
  readonly offset: number;
  /** The last stamp that the server has taken from this device. */
  readonly last: string | null;
  /** The part of a stamp that names the device. */
  readonly node: string;
}

/**
 * R6: when an edit was made, in the server's time. A clock that is wrong by a constant cancels out, since only the time that has
 * passed since the edit is taken from it. Never ahead of the server, never below what the user had seen when editing, nor
 * below the last stamp that the server took.
 */
export function stampOf(
  { editedAt, seen }: Pick<Mutation, 'editedAt' | 'seen'>,
  { deviceNow, offset, last, node }: ClockReading,
): string {
  const ms = Math.max(1, Math.round(deviceNow + offset - Math.max(0, deviceNow - editedAt)));
  const floor = [seen, last].reduce<Hlc>((highest, text) => {
    const stamp = text === null ? undefined : parseHlc(text);
    return stamp && compareHlc(stamp, highest) > 0 ? stamp : highest;
  }, ZERO_HLC);
  return formatHlc(sendHlc(floor, ms, node));
}

/**
 * How far the server's clock is ahead, from an answer that carried its time. Half of the way is taken as the way back.
 *
 * @param serverTime ISO 8601; undefined if it is no time
 */
export function offsetOf(serverTime: string, sentAt: number, receivedAt: number): number | undefined {
  const server = Date.parse(serverTime);
  return Number.isFinite(server) ? server - Math.round((sentAt + receivedAt) / 2) : undefined;
}

/** The higher one of two stamps. */
export function later(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other;
  return one >= other ? one : other;
}
