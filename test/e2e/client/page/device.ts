/** A page that is a device: the agent of the harness, on IndexedDB. */
import { indexedDb } from 'nest-offline-sync-client/indexeddb';
import { Agent } from '../../../harness/devices/agent';

declare global {
  /** Heard by the test, outside of the page. */
  function tellDevice(event: string): Promise<void>;
}

const agent = new Agent({
  storage: indexedDb(),
  tell: (event) => void tellDevice(JSON.stringify(event)).catch(() => undefined),
});
Object.assign(globalThis, { agent });
