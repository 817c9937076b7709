import { indexedDb } from 'nest-offline-sync-client/indexeddb';
import { createApp } from './app.js';

const app = createApp(indexedDb(), location.search === '?offline');
const list = document.body.appendChild(document.createElement('ul'));
const status = document.body.appendChild(document.createElement('p'));

app.client.db.tasks.live({ orderBy: 'title' }).subscribe(({ rows }) => {
  list.replaceChildren(
    ...rows.map(({ title, visits, tags }) => {
      const item = document.createElement('li');
      item.textContent = `${title}, ${visits}, ${tags}`;
      return item;
    }),
  );
});
app.client.status.subscribe(({ phase, pending }) => (status.textContent = `${phase}, ${pending} pending`));
globalThis.app = app;
void app.client.open();
