// One slice of each kind of load on one server: what it costs. Used by rounds.cjs and scaling.cjs.

/** What goes ahead unmeasured: a server that had no turn for a while is slow at first. */
const LEAD = { echo: { events: 3000 }, churn: { count: 50 }, broadcast: { broadcasts: 5 } };

/** CPU time and time in all, in µs, that so much of one kind of load takes. */
async function spent({ child, address }, load, kind, size) {
  await load.ask(kind, { ...address, ...size, ...LEAD[kind] });
  const before = await child.ask('cpu');
  const time = await load.ask(kind, { ...address, ...size });
  return { cpu: (await child.ask('cpu')) - before, time };
}

/** Events answered as fast as the server can. */
async function echo(server, load, size) {
  const { cpu, time } = await spent(server, load, 'echo', size);
  return { event: cpu / size.events, rate: (size.events / time) * 1e6 };
}

/** Events at a steady rate, whatever the server does. */
const pace = ({ address }, load, size) => load.ask('pace', { ...address, ...size });

/** Clients that come and go. */
async function churn(server, load, size) {
  const { cpu, time } = await spent(server, load, 'churn', size);
  return { connection: cpu / size.count, connections: (size.count / time) * 1e6 };
}

/** Broadcasts to all members of the room. */
async function broadcast(server, load, size) {
  const { cpu } = await spent(server, load, 'broadcast', size);
  return { delivery: cpu / (size.broadcasts * size.members) };
}

/** Clients that do nothing, and what is left of those that have gone; on a server that was started for it. */
async function memory(server, load, { idle, warm, churn: count }) {
  const { child, address } = server;
  const others = { width: 10, ...address };
  // V8 decides by the first seven objects of a class how much place all have. Ten that come at once have less by then than one
  // that is in: another round would come to another figure.
  await load.ask('churn', { ...others, width: 1, count: 20 });
  await load.ask('churn', { ...others, count: warm });
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
