/**
 * A service of the team, a process of its own: plain Mongoose, from before there was sync. It writes until it is told to
 * stop, and tells its ledger then.
 */
import mongoose from 'mongoose';
import { setTimeout as delay } from 'node:timers/promises';
import { customerSchema, type Customer, type Size } from './customers';
import { ServiceWrites } from './service-writes';

export interface ServiceOrders {
  readonly uri: string;
  readonly size: Size;
  readonly index: number;
  readonly seed: number;
  /** Between two writes. Milliseconds. */
  readonly paceMs: number;
}

async function main({ uri, size, index, seed, paceMs }: ServiceOrders): Promise<void> {
  await mongoose.connect(uri, { appName: `service${String(index)}`, autoIndex: false, autoCreate: false });
  const writes = new ServiceWrites(mongoose.model<Customer>('Customer', customerSchema()), size, index, seed);
  let isStopping = false;
  process.on('message', (message) => {
    if (message === 'stop') isStopping = true;
    else process.send?.({ writes: writes.ledger().writes });
  });
  process.once('disconnect', () => process.exit(1));
  process.send?.('ready');
  while (!isStopping) {
    await writes.next();
    await delay(paceMs);
  }
  process.send?.({ ledger: writes.ledger() }, () => process.exit(0));
}

void main(JSON.parse(process.argv[2] ?? '{}') as ServiceOrders).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
