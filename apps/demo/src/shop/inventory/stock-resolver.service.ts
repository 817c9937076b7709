import { Injectable } from '@nestjs/common';
import { ConflictResolver, type Conflict, type JsonObject } from 'nest-offline-sync';

/**
 * Two devices count the same shelf. One sells 2 of 10 and says 8, the other, offline, sells 3 and says 7. Neither
 * number is right: what counts is the difference that each of them made, and 5 are left.
 *
 * The other fields are taken from the change, as with last-writer-wins.
 */
@Injectable()
export class StockResolver extends ConflictResolver {
  resolve({ base, current, change }: Conflict): JsonObject | null {
    if (change.data === null || current === null) return change.data;
    const stored = quantityOf(current);
    // Without the document that the device knew (the log no longer has it), there is no way to know what it sold.
    const difference = base ? quantityOf(change.data) - quantityOf(base) : 0;
    return { ...change.data, quantity: Math.max(0, stored + difference) };
  }
}

function quantityOf({ quantity }: JsonObject): number {
  return typeof quantity === 'number' ? quantity : 0;
}
