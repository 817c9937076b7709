import { useEffect, useMemo, useState } from 'react';
import { Counter } from './counter.tsx';
import { Device, type Holder } from './device.ts';
import { Guide } from './guide.tsx';
import { Log } from './log.tsx';
import { Wire } from './network.ts';
import { Phone, type View } from './phone.tsx';
import type { Place } from './shop.ts';
import { Trials } from './trials.tsx';
import { WirePanel } from './wire-panel.tsx';

const CAFE = { business: 'corner-cafe', businessName: 'Corner café' };
const ALICE: Holder = { id: 'alice', name: 'Alice', user: 'alice', ...CAFE };
const BOB: Holder = { id: 'bob', name: 'Bob', user: 'bob', ...CAFE };
const NEW_PHONE: Holder = { ...ALICE, id: 'alice-2', name: 'Alice’s new phone' };
const MECHANIC: Holder = {
  id: 'mei',
  name: 'Mei',
  user: 'mei',
  business: 'bike-shop',
  businessName: 'Bike shop',
};

export function Page({ place }: { readonly place: Place }) {
  const wire = useMemo(() => new Wire(), []);
  const [phones, setPhones] = useState<readonly Device[]>([]);
  const [views, setViews] = useState<Readonly<Record<string, View>>>({});
  const [alice, bob] = phones;

  useEffect(() => {
    const all = [ALICE, BOB].map((holder) => new Device(holder, place, wire));
    for (const device of all) void device.open();
    setPhones(all);
    return () => {
      for (const device of all) void device.client.close();
    };
  }, [place, wire]);

  const join = (holder: Holder): void => {
    const device = new Device(holder, place, wire);
    void device.open();
    setPhones((before) => [...before, device]);
  };
  const leave = (device: Device): void => {
    setPhones((before) => before.filter((each) => each !== device));
    void device.client.logout({ unsent: 'discard' });
  };
  const isThere = (id: string): boolean => phones.some(({ holder }) => holder.id === id);

  return (
    <>
      <header className="top">
        <h1>Two phones, one switch, nothing lost</h1>
        <p>
          Each phone has its own database in this browser and syncs with the server that you have just
          started. Switch one off, edit on both, switch it on again. For this device alone:{' '}
          <a href="/app/">the same shop as an app</a>.
        </p>
      </header>
      <main>
        {alice && bob && (
          <Guide alice={alice} bob={bob} onView={(view) => setViews({ ...views, alice: view, bob: view })} />
        )}
        <section className="phones" aria-label="Phones">
          {phones.map((device) => (
            <Phone
              key={device.holder.id}
              device={device}
              view={views[device.holder.id] ?? 'Tasks'}
              onView={(view) => setViews({ ...views, [device.holder.id]: view })}
              onLeave={device === alice || device === bob ? undefined : () => leave(device)}
            />
          ))}
          {alice && <Counter device={alice} />}
        </section>
        <div className="more">
          <button disabled={isThere(NEW_PHONE.id)} onClick={() => join(NEW_PHONE)}>
            A new phone for Alice
          </button>
          <button disabled={isThere(MECHANIC.id)} onClick={() => join(MECHANIC)}>
            A phone of another business
          </button>
          <Trials />
        </div>
        <section className="panels">
          <Log place={place} />
          <WirePanel wire={wire} />
        </section>
      </main>
      <footer className="bottom">
        <a href="/docs">API</a> <a href="/health">Health</a> <a href="/metrics">Metrics</a>{' '}
        <a href="/admin/">Admin</a>{' '}
        <span>
          The same as text: <code>npm run demo:tour</code>
        </span>
      </footer>
    </>
  );
}
