import { createContext, useCallback, useContext, useState, type ReactNode } from 'react';

/** Resolves with whether the edit was kept. */
type Edit = (edit: Promise<unknown>) => Promise<boolean>;

const Edits = createContext<Edit>(() => Promise.resolve(false));

/** What is inside makes its edits by {@link useEdit}; one that the device does not keep is told above it. */
export function EditFailures({ children }: { readonly children: ReactNode }) {
  const [message, setMessage] = useState('');
  const edit = useCallback<Edit>(async (made) => {
    try {
      await made;
      setMessage('');
      return true;
    } catch (error) {
      setMessage(error instanceof Error ? error.message : String(error));
      return false;
    }
  }, []);
  return (
    <Edits.Provider value={edit}>
      {message !== '' && (
        <p role="alert" className="notice bad">
          <span>{message}</span>
          <button className="plain" aria-label="Close this message" onClick={() => setMessage('')}>
            ×
          </button>
        </p>
      )}
      {children}
    </Edits.Provider>
  );
}

export function useEdit(): Edit {
  return useContext(Edits);
}
