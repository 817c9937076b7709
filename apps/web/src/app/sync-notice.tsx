import type { Status } from 'nest-offline-sync-client';
import type { Shop } from '../shop.ts';

/** What a person has to know beyond the status line: that it is offline, or what it has stopped for. */
export function SyncNotice({
  client,
  status: { phase, blockedBy, pending, lastCaughtUpAt },
  onSignInAgain,
}: {
  readonly client: Shop;
  readonly status: Status;
  readonly onSignInAgain: () => void;
}) {
  if (phase === 'blocked' && blockedBy)
    return (
      <p className="notice bad" role="alert">
        <span>{STOPPED[blockedBy]}</span>
        {(blockedBy === 'auth' || blockedBy === 'identity') && (
          <button onClick={onSignInAgain}>Sign in again</button>
        )}
      </p>
    );
  if (phase !== 'offline' && phase !== 'waiting') return null;
  const since = lastCaughtUpAt === undefined ? '' : ` Last in step at ${clock(lastCaughtUpAt)}.`;
  const waiting =
    pending === 0
      ? ''
      : ` ${String(pending)} ${pending === 1 ? 'change waits' : 'changes wait'} on this device.`;
  return (
    <p className="notice" role="status">
      <span>
        {phase === 'offline'
          ? 'You are offline: everything works, and is sent later.'
          : 'The server is busy.'}
        {waiting}
        {since}
      </span>
      <button onClick={() => void client.syncOnce()}>Try now</button>
    </p>
  );
}

const STOPPED: Readonly<Record<NonNullable<Status['blockedBy']>, string>> = {
  storage:
    'This device is full. What you see may be old, and new changes may find no room. Free some space: then it goes on by itself.',
  auth: 'The server does not take your sign-in any more. Sign in again: nothing is lost.',
  forbidden: 'You may not see this business any more. What you have not sent is still here.',
  outdated:
    'The server needs a newer version of this app. Nothing is lost: what waits is sent after the update.',
  identity: 'This sign-in belongs to another user. Sign in again: nothing is lost.',
};

function clock(time: number): string {
  return new Date(time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}
