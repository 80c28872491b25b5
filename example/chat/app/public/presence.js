// Who is in the chat. A page that is built by a bundler imports Presence of egg-socket.io/presence-client, which does the same. This page is
// not built, and the example runs from TypeScript, of which the plugin has no ES module for browsers until it is packed.

/** Calls `changed` with the list, `[{ nickname, room, worker }]`, when it has changed. A user has an entry for each page. */
export function followPresence(socket, changed) {
  /** The entries by their references, which are those of one connection. Undefined until the server has sent its state. */
  let people;

  const add = (entries) => {
    for (const [nickname, pages] of Object.entries(entries))
      for (const { ref, meta } of pages) people.set(ref, { nickname, ...meta });
    changed([...people.values()]);
  };

  socket.on('presence_state', ({ state }) => {
    people = new Map();
    add(state);
  });

  socket.on('presence_diff', ({ joins, leaves }) => {
    if (people === undefined) return;
    for (const { ref } of Object.values(leaves).flat()) people.delete(ref);
    add(joins);
  });

  // `changed` is called again with the state of the next connection.
  socket.on('disconnect', () => {
    people = undefined;
  });
}
