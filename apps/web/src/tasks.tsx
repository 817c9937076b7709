import { useLive } from 'nest-offline-sync-client/react';
import { useState, type FormEvent } from 'react';
import { useEdit } from './edit-failures.tsx';
import { Empty } from './empty.tsx';
import { Row, useWasComplete } from './row.tsx';
import type { Shop } from './shop.ts';

export function Tasks({ client }: { readonly client: Shop }) {
  const { rows, complete } = useLive(() => client.db.tasks.live({ orderBy: 'title' }), [client]);
  const isLoaded = useWasComplete(complete);
  const [title, setTitle] = useState('');
  const edit = useEdit();

  const create = (event: FormEvent): void => {
    event.preventDefault();
    if (title.trim() === '') return;
    setTitle('');
    // What was not kept is not typed again.
    void edit(client.db.tasks.create({ title: title.trim(), done: false })).then(
      (isKept) => isKept || setTitle(title),
    );
  };

  return (
    <>
      <form onSubmit={create}>
        <input
          aria-label="New task"
          placeholder="New task"
          maxLength={200}
          value={title}
          onChange={({ target }) => setTitle(target.value)}
        />
        <button disabled={title.trim() === ''}>Add</button>
      </form>
      {rows.length === 0 && <Empty client={client} complete={complete} what="tasks" />}
      <ul>
        {rows.map((task) => (
          <Row key={task._id} id={task._id} value={task} isNew={isLoaded}>
            <input
              type="checkbox"
              aria-label={`Done: ${task.title}`}
              checked={task.done}
              onChange={({ target }) => void edit(client.db.tasks.patch(task._id, { done: target.checked }))}
            />
            <Title
              key={task.title}
              text={task.title}
              onChange={(text) => void edit(client.db.tasks.patch(task._id, { title: text }))}
            />
            <button
              className="plain"
              aria-label={`Delete ${task.title}`}
              onClick={({ currentTarget }) => {
                focusBeside(currentTarget);
                void edit(client.db.tasks.delete(task._id));
              }}
            >
              ×
            </button>
          </Row>
        ))}
      </ul>
    </>
  );
}

/** Who uses the keyboard goes on at the same button of the next row, or of the one before. */
function focusBeside(button: HTMLElement): void {
  const row = button.closest('li');
  const beside = row?.nextElementSibling ?? row?.previousElementSibling;
  beside?.querySelector<HTMLElement>('button:last-child')?.focus({ preventScroll: true });
}

/** A text that is edited where it stands: one line, which may take several on a narrow screen. */
function Title({ text, onChange }: { readonly text: string; readonly onChange: (text: string) => void }) {
  const [draft, setDraft] = useState(text);
  const end = (): void => {
    const next = draft.trim();
    if (next === '' || next === text) setDraft(text);
    else onChange(next);
  };
  return (
    <textarea
      className="title"
      aria-label="Title"
      rows={1}
      value={draft}
      maxLength={200}
      onChange={({ target }) => setDraft(target.value.replace(/\s+/g, ' '))}
      onBlur={end}
      onKeyDown={({ key, currentTarget }) => {
        if (key === 'Enter') currentTarget.blur();
        if (key === 'Escape') setDraft(text);
      }}
    />
  );
}
