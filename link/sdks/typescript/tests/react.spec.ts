/** The hooks on a server, where nothing may be asked for and nothing be loaded. What they do in a page is in browser.spec.ts. */

import { createClient } from 'kalam-link';
import { useConnection, useLiveQuery } from 'kalam-link/react';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, test } from 'vitest';

test('on_a_server_a_live_query_is_loading_and_nothing_is_asked_for', () => {
  let asked = 0;
  const client = createClient({ url: 'http://127.0.0.1:9', auth: () => `token ${(asked += 1)}` });
  function Notes() {
    const { status, rows } = useLiveQuery(client, 'SELECT * FROM notes WHERE room = $1', ['lobby']);
    return createElement('p', null, `${status} ${rows.length} ${useConnection(client).status}`);
  }
  expect(renderToString(createElement(Notes))).toBe('<p>loading 0 idle</p>');
  expect(asked).toBe(0);
  expect(client.subscriptions()).toEqual([]);
});
