import { createElement as h, type ReactElement } from 'react';
import { renderToString } from 'react-dom/server';
import { collection, createSyncClient, memory } from '../index.ts';
import { useLive, useStatus } from './index.ts';

describe('the hooks on a server', () => {
  it('render what is there without a client that is open: nothing, and that it is not complete', () => {
    const client = createSyncClient({
      url: 'https://shop.example/sync',
      storage: memory(),
      auth: { token: () => Promise.reject(new Error('Nobody is asked on a server')) },
      collections: { tasks: collection<{ title: string }>() },
    });
    const List = (): ReactElement => {
      const { rows, complete } = useLive(() => client.db.tasks.live());
      return h('p', null, JSON.stringify([rows, complete, useStatus(client).phase]));
    };
    expect(renderToString(h(List))).toBe('<p>[[],false,&quot;closed&quot;]</p>');
  });
});
