// Who is in the chat. A page that is built by a bundler imports Presence of egg-socket.io/presence-client, which does the same.

/** Calls `changed` with the list, `[{ nickname, room, worker }]`, when it has changed. A user has an entry for each page. */
export function followPresence(socket, changed) {
  const people = new Map();

  const add = (entries) => {
    for (const [nickname, pages] of Object.entries(entries))
      for (const { ref, meta } of pages) people.set(ref, { nickname, ...meta });
  };

  socket.on('presence_state', ({ state }) => {
    people.clear();
    add(state);
    changed([...people.values()]);
  });

  socket.on('presence_diff', ({ joins, leaves }) => {
    for (const { ref } of Object.values(leaves).flat()) people.delete(ref);
    add(joins);
    changed([...people.values()]);
  });
}
