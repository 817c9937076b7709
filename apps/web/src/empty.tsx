/** What a list shows without rows. */
export function Empty({ complete, what }: { readonly complete: boolean; readonly what: string }) {
  return <p className="empty">{complete ? `No ${what}.` : 'Loading…'}</p>;
}
