import { StorageOutdatedError } from 'nest-offline-sync-client';
import type { ReactNode } from 'react';

/** The app cannot work with what is kept on this device: what has happened, and what to do. */
export function Unusable({ error, onAgain }: { readonly error: unknown; readonly onAgain: () => void }) {
  if (error instanceof StorageOutdatedError)
    return (
      <Face title="A newer version of the app has been here">
        <p>
          It keeps the data of this device in another way, which this version cannot read. Nothing is lost,
          and what waits is still sent: reload the app, and the newer version goes on.
        </p>
      </Face>
    );
  return (
    <Face title="The data of this device cannot be used" onAgain={onAgain}>
      <p>{textOf(error)}</p>
    </Face>
  );
}

/** The browser gives no place for data. */
export function NoStorage({ error }: { readonly error: unknown }) {
  return (
    <Face title="This browser keeps nothing">
      <p>
        The app keeps its data on this device, and the browser does not let it: private windows do that, and
        browsers that block cookies. Open the app in an ordinary window, or allow this site to keep data; then
        reload.
      </p>
      <p className="small">IndexedDB: {textOf(error)}</p>
    </Face>
  );
}

function Face({
  title,
  onAgain,
  children,
}: {
  readonly title: string;
  readonly onAgain?: () => void;
  readonly children: ReactNode;
}) {
  return (
    <main className="unusable" role="alert">
      <h1>{title}</h1>
      {children}
      <p className="act">
        {onAgain && (
          <button className="main" onClick={onAgain}>
            Open again
          </button>
        )}
        <button className={onAgain ? '' : 'main'} onClick={() => location.reload()}>
          Reload the app
        </button>
      </p>
    </main>
  );
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
