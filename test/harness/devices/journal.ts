import type { DeviceEvent } from './events';
import { WireHistory } from './wire-history';

export interface Kept {
  readonly device: string;
  readonly marker: string;
  readonly kind: string;
  readonly mutations: readonly string[];
}

/** What all devices have told, kept outside of them: a device that dies takes nothing of it along. */
export class Journal {
  readonly begun = new Set<string>();
  readonly kept = new Map<string, Kept>();
  readonly failed = new Map<string, number>();
  /** How each mutation ended, by its id. */
  readonly settled = new Map<string, { readonly status: string; readonly code?: string | undefined }>();
  readonly givenUp = new Set<string>();
  readonly wrong: string[] = [];
  /** @param wires what went over the wires */
  constructor(readonly wires = new WireHistory('')) {}

  private readonly counts = new Map<string, number>();
  private readonly waiting = new Set<() => void>();

  /** @param process of the device: counts of what it told begin with it */
  hear(device: string, process: string, event: DeviceEvent): void {
    this.counts.set(process, this.heard(process) + 1);
    switch (event.is) {
      case 'begun':
        this.begun.add(event.marker);
        break;
      case 'kept':
        this.kept.set(event.marker, { device, ...event });
        break;
      case 'failed':
        this.failed.set(event.code, (this.failed.get(event.code) ?? 0) + 1);
        this.begun.delete(event.marker);
        break;
      case 'settled':
        this.settled.set(event.mutation, event);
        break;
      case 'giving-up':
        for (const mutation of event.mutations) this.givenUp.add(mutation);
        break;
      case 'wrong':
        this.wrong.push(`${device}: ${event.what}`);
        break;
      case 'ended':
        this.wrong.push(`${device}: its client ended with ${event.code}`);
        break;
      case 'wire':
        this.wires.hear(device, process, event.wire);
    }
    for (const look of this.waiting) look();
  }

  /** Resolves when so many events of a process have come. */
  async upTo(process: string, count: number): Promise<void> {
    if (this.heard(process) >= count) return;
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.heard(process) < count) return;
        this.waiting.delete(look);
        resolve();
      };
      this.waiting.add(look);
    });
  }

  private heard(process: string): number {
    return this.counts.get(process) ?? 0;
  }
}
