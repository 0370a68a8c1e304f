/** The page of the browser tests: shows the notes of a room, and lets the test change the room or take the list away. */

import { createClient } from 'kalam-link';
import { useConnection, useLiveQuery } from 'kalam-link/react';
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

interface Note {
  readonly id: bigint;
  readonly room: string;
  readonly body: string;
}

const settings = new URL(location.href).searchParams;
const table = settings.get('table') ?? '';
const client = createClient({
  url: settings.get('server') ?? '',
  auth: { user: 'root', password: settings.get('password') ?? '' },
  backoff: { firstMs: 20, maxMs: 100 },
});

function Notes({ room }: { readonly room: string }) {
  const notes = useLiveQuery<Note>(client, `SELECT * FROM ${table} WHERE room = $1 ORDER BY id`, [room]);
  return (
    <ul id="notes" data-status={notes.status} data-room={room}>
      {notes.rows.map((note) => (
        <li key={String(note.id)}>{note.body}</li>
      ))}
    </ul>
  );
}

function App() {
  const [room, setRoom] = useState('lobby');
  const [shown, setShown] = useState(true);
  const connection = useConnection(client);
  const [renders, setRenders] = useState(0);
  return (
    <main data-connection={connection.status} data-renders={renders}>
      <button id="attic" onClick={() => setRoom('attic')} />
      <button id="toggle" onClick={() => setShown(!shown)} />
      <button id="render" onClick={() => setRenders(renders + 1)} />
      {shown && <Notes room={room} />}
    </main>
  );
}

Object.assign(window, { client });
const place = document.getElementById('app');
if (place) {
  createRoot(place).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
