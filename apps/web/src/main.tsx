import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Page } from './page.tsx';
import { findPlace } from './shop.ts';

const root = createRoot(document.getElementById('page') ?? document.body);

findPlace().then(
  (place) => root.render(<StrictMode>{place.signsIn ? <Page place={place} /> : <NoSignIn />}</StrictMode>),
  (error: unknown) =>
    root.render(<Failure message={error instanceof Error ? error.message : String(error)} />),
);

function NoSignIn() {
  return (
    <Failure message="This server runs in production: it gives no tokens away, so the phones of this page cannot sign in." />
  );
}

function Failure({ message }: { readonly message: string }) {
  return (
    <main className="failure" role="alert">
      <h1>The page cannot begin</h1>
      <p>{message}</p>
      <p>
        <a href="/docs">The API, to read and to try</a>
      </p>
    </main>
  );
}
