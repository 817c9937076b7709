/** C17: an import does nothing, and a client that is not opened waits for nothing: so a server can render with it. */

const PLATFORM = (
  'setTimeout setInterval setImmediate queueMicrotask fetch WebSocket AbortController BroadcastChannel navigator ' +
  'document window localStorage sessionStorage indexedDB crypto addEventListener'
).split(' ');

/** While it runs, the platform is not there, and a look at it is an error. */
function withoutPlatform<T>(run: () => T): T {
  const before = PLATFORM.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
  for (const name of PLATFORM)
    Object.defineProperty(globalThis, name, {
      configurable: true,
      get: () => {
        throw new Error(`The import has looked at ${name}.`);
      },
    });
  try {
    return run();
  } finally {
    for (const [name, descriptor] of before)
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else Reflect.deleteProperty(globalThis, name);
  }
}

it.each(['index', 'indexeddb/index', 'sqlite/index', 'testing/index'])(
  'an import of %s looks at nothing of the platform',
  (entry) => {
    jest.isolateModules(() => {
      const loaded = withoutPlatform(() => jest.requireActual<object>(`./${entry}.ts`));
      expect(Object.keys(loaded).length).toBeGreaterThan(0);
    });
  },
);

it('a client that is made and not opened has no timer, and shows nothing', async () => {
  const { collection, createSyncClient, memory } = await import('./index.ts');
  const called: string[] = [];
  const refused = (name: string) => () => {
    called.push(name);
    throw new Error(name);
  };
  const client = createSyncClient({
    url: 'https://shop.example/sync',
    storage: memory(),
    auth: { token: refused('token') },
    collections: { tasks: collection<{ title: string }>() },
    environment: {
      timer: refused('timer'),
      fetch: refused('fetch'),
      socket: refused('socket'),
      randomBytes: refused('randomBytes'),
    },
  });
  const live = client.db.tasks.live();
  live.subscribe(() => undefined)();
  expect(live.current).toMatchObject({ rows: [], complete: false });
  expect(client.status.current).toMatchObject({ phase: 'closed', pending: 0 });
  expect(called).toEqual([]);
});
