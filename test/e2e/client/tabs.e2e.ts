import type { BrowserDevice } from '../../harness/devices/device';
import type { HeldDatabase, User } from '../../harness/devices/events';
import { keyOf } from '../../harness/devices/server-state';
import { until } from '../../support/until';
import { ask, BrowserWorld } from './browser-world';

/** Two tabs of one profile of a real browser, against the demo: one has the socket, both show everything. */

let world: BrowserWorld;
let profile: BrowserDevice;
let first: BrowserDevice;
let second: BrowserDevice;
let user: User;
let users = 0;

beforeAll(async () => {
  world = await BrowserWorld.start(__filename);
  profile = await world.device('profile');
});
afterAll(() => world?.close());

/** A user of its own has a lock and databases of its own. */
beforeEach(async () => {
  users += 1;
  user = await world.user(`user-${String(users)}`, `business-${String(users)}`);
  [first, second] = [await profile.tab('first'), await profile.tab('second')];
  await first.call('open', first.url, user);
  await ask(first, 'until', { leader: true, phase: 'live' });
  await second.call('open', second.url, user);
  await ask(second, 'until', { leader: false, phase: 'live' });
});
afterEach(async () => {
  await Promise.all([first, second].map((tab) => tab.page.close()));
  await until(() => world.sockets.size === 0);
});

/** The counter at the server: how often it was counted up, and who did. */
async function countedAtServer(id: string): Promise<{ n: number; marks: string[] }> {
  const { rows } = await world.eye.state(user, undefined);
  const { n = 0, marks = [] } = (rows.get(keyOf('notes', id))?.data ?? {}) as {
    n?: number;
    marks?: string[];
  };
  return { n, marks: [...marks].sort() };
}

/** What the profile has of the user, read past the client. */
async function heldOf(tab: BrowserDevice): Promise<readonly HeldDatabase[]> {
  const { databases } = await tab.call('held');
  return databases.filter(({ key, text }) => !key || key.includes(user.name) || text.includes('of the user'));
}

/**
 * Nothing runs in the tab until what this gives is called: no timer, no message, no answer. By the debugger, as headless Chromium takes each
 * page for visible, and `Page.setWebLifecycleState` freezes none of these.
 */
async function freeze(tab: BrowserDevice): Promise<() => Promise<unknown>> {
  const devtools = await tab.devtools();
  await devtools.send('Debugger.enable');
  const paused = new Promise((resolve) => devtools.once('Debugger.paused', resolve));
  await devtools.send('Debugger.pause');
  // Of its own, so that it does not stop within a transaction.
  const evaluated = tab.page.evaluate('1');
  await paused;
  return async () => {
    await devtools.send('Debugger.disable');
    await evaluated;
  };
}

const shows = (tab: BrowserDevice, id: string, n: number): Promise<void> =>
  until(async () => (await ask(tab, 'counted', id)).n === n);

it('has one leader and one socket, and shows in each what the other one does', async () => {
  await ask(second, 'counter', 'both');
  await shows(first, 'both', 0);
  await Promise.all([ask(first, 'count', 'both', 'first'), ask(second, 'count', 'both', 'second')]);
  await Promise.all([first, second].map((tab) => shows(tab, 'both', 2)));
  await ask(second, 'until', { phase: 'live', pending: 0 });
  expect(await countedAtServer('both')).toEqual({ n: 2, marks: ['first', 'second'] });
  const [one, other] = await Promise.all([ask(first, 'status'), ask(second, 'status')]);
  expect([one.leader, other.leader]).toEqual([true, false]);
  expect(world.sockets.size).toBe(1);
});

it('goes on in the other tab when the leader crashes, with what that one had promised', async () => {
  await ask(first, 'counter', 'crash');
  await ask(second, 'until', { phase: 'live', pending: 0 });
  first.setOnline(false);
  await ask(first, 'until', { phase: 'offline' });
  await ask(first, 'count', 'crash', 'first');
  await first.crash('tab');
  first.setOnline(true);
  await ask(second, 'until', { leader: true, phase: 'live', pending: 0 });
  await ask(second, 'count', 'crash', 'second');
  await ask(second, 'until', { phase: 'live', pending: 0 });
  expect(await countedAtServer('crash')).toEqual({ n: 2, marks: ['first', 'second'] });
});

it('takes the lead from a tab that is frozen, which follows when it is thawed', async () => {
  await ask(first, 'counter', 'frozen');
  await ask(first, 'until', { phase: 'live', pending: 0 });
  // What it sends last arrives, and so does the answer, when it is frozen already.
  first.proxy.hold(true);
  await ask(first, 'count', 'frozen', 'first');
  await ask(first, 'until', { sending: 1, pending: 1 });
  const thaw = await freeze(first);
  first.proxy.hold(false);
  await ask(second, 'count', 'frozen', 'second');
  await ask(second, 'until', { leader: true, phase: 'live', pending: 0 });
  expect(await countedAtServer('frozen')).toEqual({ n: 2, marks: ['first', 'second'] });
  await thaw();
  await ask(first, 'until', { leader: false, phase: 'live', pending: 0 });
  await ask(first, 'count', 'frozen', 'thawed');
  await Promise.all([first, second].map((tab) => shows(tab, 'frozen', 3)));
  await ask(second, 'until', { leader: true, phase: 'live', pending: 0 });
  expect(await countedAtServer('frozen')).toEqual({ n: 3, marks: ['first', 'second', 'thawed'] });
  await until(() => world.sockets.size === 1);
});

it('lets go of the lead while its page is kept for a step back, and goes on after the step', async () => {
  await second.page.close();
  const held = () => first.page.evaluate(async () => (await navigator.locks.query()).held?.length);
  expect(await held()).toBe(1);
  // Browsers keep no page with an open socket.
  first.setOnline(false);
  await ask(first, 'until', { phase: 'offline' });
  await first.page.goto(new URL('/elsewhere', world.page.url).href);
  await until(async () => (await held()) === 0);
  first.setOnline(true);
  // Without an event `load`, as the page is shown as it was.
  await first.page.goBack({ waitUntil: 'commit' });
  await ask(first, 'counter', 'back');
  await ask(first, 'until', { leader: true, phase: 'live', pending: 0 });
  expect(await countedAtServer('back')).toMatchObject({ n: 0 });
});

it.each(['first', 'second'])(
  'logs out in all tabs when the %s one does, and leaves nothing',
  async (which) => {
    await ask(second, 'note', 'secret', 'of the user');
    await ask(second, 'until', { phase: 'live', pending: 0 });
    const [leaves, other] = which === 'first' ? [first, second] : [second, first];
    expect((await heldOf(other)).some(({ text }) => text.includes('of the user'))).toBe(true);
    await leaves.call('logout', 'keep');
    await until(() => world.journal.wrong.includes(`${other.name}: its client ended with logged_out`));
    expect(await heldOf(other)).toEqual([]);
    expect(await ask(other, 'note', 'late', 'of the user')).toBe('usage');
    await until(() => world.sockets.size === 0);
    world.journal.wrong.length = 0;
  },
);
