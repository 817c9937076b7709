import { UnsentChangesError, type LogoutOptions } from 'nest-offline-sync-client';
import { useRef, useState } from 'react';
import type { Shop } from '../shop.ts';

const SEND_MS = 3_000;

/** The way out. What was not sent, or was refused, is never thrown away without a question. */
export function SignOut({ client, onLeave }: { readonly client: Shop; readonly onLeave: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [unsent, setUnsent] = useState(0);
  const [told, setTold] = useState('');
  const [isBusy, setBusy] = useState(false);

  const ask = (count: number, why = ''): void => {
    setUnsent(count);
    setTold(why);
    if (!dialog.current?.open) dialog.current?.showModal();
  };
  const leave = async (unsent: NonNullable<LogoutOptions['unsent']>): Promise<void> => {
    await client.logout({ unsent });
    dialog.current?.close();
    onLeave();
  };
  const send = async (): Promise<void> => {
    const isSent = await client.flush({ timeoutMs: SEND_MS });
    const { pending, rejected } = client.status.current;
    if (!isSent) ask(pending + rejected, 'They could not be sent: the server cannot be reached now.');
    else if (rejected > 0) ask(rejected, 'The server has refused them. Decide in the list, or here.');
    else await leave('refuse');
  };
  const run = (act: () => Promise<void>) => (): void => {
    setBusy(true);
    setTold('');
    act()
      .catch((error: unknown) => {
        if (error instanceof UnsentChangesError) ask(error.count);
        else ask(unsent, error instanceof Error ? error.message : String(error));
      })
      .finally(() => setBusy(false));
  };
  const begin = async (): Promise<void> => {
    const { pending, rejected } = client.status.current;
    if (pending + rejected > 0) ask(pending + rejected);
    else await leave('refuse');
  };

  return (
    <>
      <button disabled={isBusy} onClick={run(begin)}>
        Sign out
      </button>
      <dialog ref={dialog} aria-labelledby="sign-out-title">
        <h2 id="sign-out-title">
          {unsent === 1 ? 'One change is' : `${String(unsent)} changes are`} not on the server
        </h2>
        <button className="main" disabled={isBusy} onClick={run(send)}>
          Send, then sign out
        </button>
        <button disabled={isBusy} onClick={run(() => leave('keep'))}>
          Keep on this device until I am back
        </button>
        <button className="danger" disabled={isBusy} onClick={run(() => leave('discard'))}>
          Throw away
        </button>
        <button onClick={() => dialog.current?.close()}>Stay signed in</button>
        <p role="status">{isBusy ? 'One moment…' : told}</p>
      </dialog>
    </>
  );
}
