import { useState, type FormEvent } from 'react';
import { lostChanges } from '../lost.ts';
import { findPlace, signIn } from '../shop.ts';
import { BUSINESSES } from './businesses.ts';
import { lastUser, type Session } from './session.ts';

/** Nobody is signed in: the user has signed out, the browser has removed what it kept, or the server takes the sign-in no more. */
export interface Away {
  readonly why: 'out' | 'cleared' | 'refused';
  /** Changes that were not sent and are gone. */
  readonly lost: number;
}

/** The only moment that needs the network. */
export function SignIn({
  away,
  onSignIn,
}: {
  readonly away: Away;
  readonly onSignIn: (session: Session) => Promise<void>;
}) {
  const [last] = useState(lastUser);
  const [user, setUser] = useState(last?.user ?? 'alice');
  const [business, setBusiness] = useState<string>(last?.business ?? 'corner-cafe');
  const [failure, setFailure] = useState('');
  const [isBusy, setBusy] = useState(false);

  const enter = async (): Promise<void> => {
    const place = await findPlace();
    if (!place.signsIn) return setFailure('This server runs in production: it gives no tokens away.');
    await onSignIn({ user, business, place, token: await signIn(user, business) });
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setBusy(true);
    setFailure('');
    enter()
      .catch((error: unknown) => setFailure(textOf(error)))
      .finally(() => setBusy(false));
  };

  return (
    <main className="sign-in">
      <img src="/app/icon.svg" alt="" width="72" height="72" />
      <h1>The shop, on this device</h1>
      {away.why === 'cleared' && (
        <p role="alert" className="notice bad">
          <span>
            The browser has removed the data of this device, and your sign-in with it.
            {away.lost > 0 && ` ${lostChanges(away.lost)}`} Sign in again: what the server has comes back.
          </span>
        </p>
      )}
      {away.why === 'refused' && (
        <p role="status" className="notice">
          <span>Sign in again as who you were: what waits on this device is sent then.</span>
        </p>
      )}
      <p>Signing in needs the network once. After that everything works without it.</p>
      <form onSubmit={submit}>
        <label>
          Your name
          <input
            name="user"
            autoComplete="username"
            required
            maxLength={100}
            value={user}
            onChange={({ target }) => setUser(target.value)}
          />
        </label>
        <label>
          Business
          <select name="business" value={business} onChange={({ target }) => setBusiness(target.value)}>
            {Object.entries(BUSINESSES).map(([id, name]) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <button className="main" disabled={isBusy}>
          {isBusy ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
      {failure !== '' && (
        <p role="alert" className="notice bad">
          {failure}
        </p>
      )}
      <p className="small">A demo: it lets in whom you name, without a password.</p>
    </main>
  );
}

/** `fetch` throws a TypeError when nothing answers. */
function textOf(error: unknown): string {
  if (error instanceof TypeError) return 'The server cannot be reached. Sign in when you are online.';
  return error instanceof Error ? error.message : String(error);
}
