// One slice of each kind of load on one server: what it costs. Used by rounds.cjs and scaling.cjs.

/** CPU time in µs that the server has spent while `work` ran, and what `work` gave. */
async function spent(server, work) {
  const before = await server.child.ask('cpu');
  const result = await work();
  return { cpu: (await server.child.ask('cpu')) - before, result };
}

/** Events answered as fast as the server can. */
async function echo(server, load, size) {
  const { cpu, result } = await spent(server, () => load.ask('echo', { ...server.address, ...size }));
  return { event: cpu / size.events, rate: (size.events / result) * 1e6 };
}

/** Events at a steady rate, whatever the server does. */
const pace = (server, load, size) => load.ask('pace', { ...server.address, ...size });

/** Clients that come and go. */
async function churn(server, load, size) {
  const { cpu, result } = await spent(server, () => load.ask('churn', { ...server.address, ...size }));
  return { connection: cpu / size.count, connections: (size.count / result) * 1e6 };
}

/** Broadcasts to all members of the room. */
async function broadcast(server, load, size) {
  const { cpu } = await spent(server, () => load.ask('broadcast', { ...server.address, ...size }));
  return { delivery: cpu / (size.broadcasts * size.members) };
}

/** Clients that do nothing, and what is left of those that have gone; on a server that was started for it. */
async function memory(server, load, { idle, churn: count }) {
  const { child, address } = server;
  const others = { width: 10, ...address };
  await load.ask('churn', { ...others, count: 500 });
  const before = await child.ask('memory');
  await load.ask('open', { ...address, count: idle });
  const held = await child.ask('memory');
  await load.ask('close', address);
  const figures = { heap: (held.heap - before.heap) / idle / 1024, rss: (held.rss - before.rss) / idle / 1024 };
  if (!count) return figures;
  const begin = await child.ask('memory');
  await load.ask('churn', { ...others, count });
  const after = await child.ask('memory');
  return { ...figures, left: (after.heap - begin.heap) / 1024 };
}

module.exports = { echo, pace, churn, broadcast, memory };
