import type { Status } from 'nest-offline-sync-client';

const WORDS: Readonly<Record<Status['phase'], string>> = {
  opening: 'Opening',
  loading: 'Loading',
  'catching-up': 'Catching up',
  live: 'Live',
  polling: 'Asking now and then',
  offline: 'Offline',
  waiting: 'The server is busy',
  blocked: 'Stopped',
  paused: 'Paused',
  closed: 'Closed',
};

const BLOCKED: Readonly<Record<NonNullable<Status['blockedBy']>, string>> = {
  auth: 'Signed out',
  forbidden: 'No access',
  storage: 'This device is full',
  outdated: 'This app is too old',
  identity: 'Another user',
};

/** How the sync stands, in one line. */
export function StatusLine({ status }: { readonly status: Status }) {
  const { phase, blockedBy, pending, sending, rejected, progress } = status;
  return (
    <footer className={`status ${phase}`} role="status">
      <span className="phase">
        {blockedBy ? BLOCKED[blockedBy] : WORDS[phase]}
        {phase === 'loading' &&
          progress &&
          ` ${String(progress.rows)}${progress.of ? ` of ${String(progress.of)}` : ''}`}
      </span>
      {pending > 0 && (
        <span className="pending">
          {sending > 0 ? `sending ${String(sending)}` : `${String(pending)} waiting`}
        </span>
      )}
      {rejected > 0 && <span className="rejected">{rejected} refused</span>}
      {pending === 0 && rejected === 0 && phase === 'live' && <span>all sent</span>}
    </footer>
  );
}
