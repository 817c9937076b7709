/** A page that is a device: the agent of the harness, on IndexedDB, and what a test asks of its client. */
import { add, inc, type ClientSocket, type Status } from 'nest-offline-sync-client';
import { indexedDb } from 'nest-offline-sync-client/indexeddb';
import { Agent } from '../../../harness/devices/agent';
import type { DeviceClient } from '../../../harness/devices/edits';

declare global {
  /** Heard by the test, outside of the page. */
  function tellDevice(event: string): Promise<void>;
}

const agent = new Agent({
  storage: indexedDb(),
  socket: (url) => new WebSocket(url) as unknown as ClientSocket,
  tell: (event) => tellDevice(JSON.stringify(event)).catch(() => undefined),
});

function client(): DeviceClient {
  if (!agent.client) throw new Error('Nobody has opened the client.');
  return agent.client;
}

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? String(error);

const calls = {
  /** Writes a note; the code says why it could not. */
  note: (id: string, text: string): Promise<string> =>
    client()
      .db.notes.upsert(id, { text })
      .then(() => 'kept', codeOf),
  task: async (id: string, title: string): Promise<void> => {
    await client().db.tasks.upsert(id, { title });
  },
  patchTask: async (id: string, fields: { title?: string; done?: boolean }): Promise<void> => {
    await client().db.tasks.patch(id, fields);
  },
  getTask: async (id: string): Promise<object | undefined> => client().db.tasks.get(id),
  counter: async (id: string): Promise<void> => {
    await client().db.notes.upsert(id, { n: 0, marks: [] });
  },
  count: async (id: string, mark: string): Promise<void> => {
    await client().db.notes.patch(id, { n: inc(1), marks: add(mark) });
  },
  counted: async (id: string): Promise<{ n: number; marks: string[] }> => {
    const { n = 0, marks = [] } = (await client().db.notes.get(id)) ?? {};
    return { n, marks };
  },
  hasNote: async (id: string): Promise<boolean> => (await client().db.notes.get(id)) !== undefined,
  status: (): Status => client().status.current,
  /** The first status with all of these. */
  until: (wanted: Partial<Status>): Promise<Status> =>
    new Promise((resolve) => {
      const { status } = client();
      const look = (now: Status): void => {
        if (!Object.entries(wanted).every(([key, value]) => now[key as keyof Status] === value)) return;
        leave();
        resolve(now);
      };
      const leave = status.subscribe(look);
      look(status.current);
    }),
};
export type DeviceCalls = typeof calls;

Object.assign(globalThis, { agent, calls });
