import { useObservable, useStatus } from 'nest-offline-sync-client/react';
import { useCallback, useSyncExternalStore } from 'react';
import type { Device, Notice } from './device.ts';
import { EditFailures } from './edit-failures.tsx';
import { Orders } from './orders.tsx';
import { Refused } from './refused.tsx';
import { StatusLine } from './status-line.tsx';
import { Stock } from './stock.tsx';
import { Tasks } from './tasks.tsx';

const VIEWS = { Tasks, Stock, Orders } as const;
export type View = keyof typeof VIEWS;

/** One phone: a switch, three lists, what was refused, and how its sync stands. */
export function Phone({
  device,
  view,
  onView,
  onLeave,
}: {
  readonly device: Device;
  readonly view: View;
  readonly onView: (view: View) => void;
  readonly onLeave?: (() => void) | undefined;
}) {
  const { holder, client } = device;
  const [online, setOnline] = useOnline(device);
  const notice = useNotice(device);
  const status = useStatus(client);
  const refused = useObservable(client.rejected.live());
  const List = VIEWS[view];

  return (
    <article
      className={online ? 'phone' : 'phone off'}
      aria-label={`Phone of ${holder.name}`}
      data-phone={holder.id}
    >
      <header>
        <div>
          <h2>{holder.name}</h2>
          <p>{holder.businessName}</p>
        </div>
        <label className="switch">
          <input
            type="checkbox"
            role="switch"
            checked={online}
            onChange={({ target }) => setOnline(target.checked)}
          />
          <span>{online ? 'Online' : 'Offline'}</span>
        </label>
      </header>
      <nav aria-label={`Lists of ${holder.name}`}>
        {(Object.keys(VIEWS) as View[]).map((name) => (
          <button key={name} aria-pressed={name === view} onClick={() => onView(name)}>
            {name}
          </button>
        ))}
      </nav>
      <div className="list" role="group" aria-label={`${view} of ${holder.name}`} tabIndex={0}>
        {notice && (
          <p role="alert" className="notice bad">
            <span>{notice.text}</span>
            {notice.isClosed ? (
              <button onClick={() => void device.open()}>Open again</button>
            ) : (
              <button
                className="plain"
                aria-label="Close this message"
                onClick={() => device.tell(undefined)}
              >
                ×
              </button>
            )}
          </p>
        )}
        {!notice?.isClosed && (
          <EditFailures>
            {refused.length > 0 && <Refused client={client} entries={refused} />}
            <List client={client} />
          </EditFailures>
        )}
      </div>
      <StatusLine status={status} />
      {onLeave && (
        <button className="leave" onClick={onLeave}>
          Sign out and erase this phone
        </button>
      )}
    </article>
  );
}

/** Whether the phone's switch is on. */
function useOnline({ network }: Device): [boolean, (online: boolean) => void] {
  const online = useSyncExternalStore(
    (changed) => network.watch(changed),
    () => network.online,
  );
  return [online, (next) => (network.online = next)];
}

function useNotice(device: Device): Notice | undefined {
  return useSyncExternalStore(
    useCallback((changed) => device.watch(changed), [device]),
    () => device.notice,
  );
}
