import { setTimeout as delay } from 'node:timers/promises';
import type { Device } from './device';
import type { User } from './events';
import type { Journal } from './journal';
import type { Chance } from './random';

/** A device and who uses it. */
export interface Life {
  readonly device: Device;
  readonly users: readonly [User, User];
  user: User;
  /** Markers of edits before the last change of users: they need not be on the device any more. */
  readonly past: Set<string>;
  readonly chance: Chance;
}

const WEIGHTS = {
  'connections-cut': 18,
  /** Nothing passes, and nobody notices: half-open sockets. */
  silence: 14,
  offline: 14,
  'answers-cut': 14,
  'requests-cut': 8,
  slow: 8,
  'tab-crashed': 8,
  'process-killed': 6,
  'user-changed': 7,
} as const;
type Trouble = keyof typeof WEIGHTS;
export type Disturbed = Trouble | 'server-killed' | 'server-stopped';

export interface Disturbance {
  readonly round: number;
  readonly paceMs: number;
  readonly end: number;
  readonly journal: Journal;
  readonly told: (what: Disturbed) => void;
  readonly wrong: (what: string) => void;
}

/** Lets a device edit, and makes trouble for it until the time is over. In the end it runs, rests, and reaches the server. */
export async function disturb(life: Life, given: Disturbance): Promise<void> {
  const { device, chance } = life;
  await work(life, given);
  for (;;) {
    const pause = chance.between(300, 2_500);
    if (performance.now() + pause > given.end) break;
    await delay(pause);
    const what = chance.weighted(WEIGHTS);
    given.told(what);
    await cause(what, life, given);
  }
  await delay(Math.max(0, given.end - performance.now()));
  await device.call('rest');
}

async function work({ device, chance }: Life, { round, paceMs }: Disturbance): Promise<void> {
  await device.call('work', { round, paceMs, seed: chance.between(1, 1e9), process: device.process });
}

async function cause(what: Trouble, life: Life, given: Disturbance): Promise<void> {
  const { device, chance } = life;
  const { proxy } = device;
  const left = (): number => Math.max(0, given.end - performance.now());
  const forAWhile = (most: number): Promise<void> => delay(Math.min(chance.between(300, most), left()));
  switch (what) {
    case 'connections-cut':
      return void proxy.cutAll();
    case 'silence':
      proxy.hold(true);
      await forAWhile(chance.next() < 0.3 ? 9_000 : 2_000);
      return proxy.hold(false);
    case 'offline':
      device.setOnline(false);
      await forAWhile(5_000);
      return device.setOnline(true);
    case 'answers-cut':
      if (chance.next() < 0.5) proxy.loseAnswerTo('/sync/push', chance.between(1, 3));
      else proxy.cutInMidMessage('answers', chance.between(1, 2));
      return;
    case 'requests-cut':
      return proxy.cutInMidMessage('requests', chance.between(1, 2));
    case 'slow':
      proxy.delay(chance.between(20, 300));
      await forAWhile(2_000);
      return proxy.delay(0);
    case 'user-changed':
      return changeUser(life, given);
    default:
      return crash(what === 'tab-crashed' ? 'tab' : 'process', life, given);
  }
}

/** What its user was promised is there when the device runs again, before anything could come from the server. */
async function crash(how: 'tab' | 'process', life: Life, given: Disturbance): Promise<void> {
  const { device, user } = life;
  const { journal, round, wrong } = given;
  await device.crash(how);
  const mine = [...journal.kept.values()].filter(
    ({ device: name, marker, kind }) =>
      name === device.name && (kind === 'count' || kind === 'sell') && !life.past.has(marker),
  );
  const isOurs = (marker: string): boolean =>
    marker.startsWith(`~${user.business}~r${String(round)}.`) ||
    marker.startsWith(`~user:${user.name}~r${String(round)}.`);
  device.setOnline(false);
  await device.restart();
  await device.call('open', device.url, user);
  const shown = new Set(await device.call('marks', round));
  for (const { marker } of mine)
    if (isOurs(marker) && !shown.has(marker))
      wrong(
        `${device.name}: ${marker} was kept, and is not shown after ${how === 'tab' ? 'the tab' : 'the process'} has died`,
      );
  device.setOnline(true);
  await work(life, given);
}

function forget(life: Life, journal: Journal): void {
  for (const { device, marker } of journal.kept.values())
    if (device === life.device.name) life.past.add(marker);
}

async function changeUser(life: Life, given: Disturbance): Promise<void> {
  const { device, chance } = life;
  const how = chance.weighted({ close: 3, keep: 4, flush: 2, discard: 1 });
  if (how === 'close') await device.call('close');
  else if (!(await device.call('logout', how))) return work(life, given);
  forget(life, given.journal);
  life.user = life.users[chance.next() < 0.5 ? 0 : 1];
  await device.call('open', device.url, life.user);
  await work(life, given);
}
