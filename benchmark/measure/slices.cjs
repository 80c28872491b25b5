// Slices: one kind of load on one server for less than a second, and the figures that result.

/** Load that runs before each slice and is not measured: a server that was idle is slower at first. */
const LEAD = { echo: { events: 3000 }, churn: { count: 50 }, broadcast: { broadcasts: 5 } };

/** Returns the CPU time in µs that the server spends on a load. */
async function cpuOf({ child, address }, load, kind, size) {
  await load.request(kind, { ...address, ...size, ...LEAD[kind] });
  const before = await child.request('cpu');
  await load.request(kind, { ...address, ...size });
  return (await child.request('cpu')) - before;
}

/** Events that are acknowledged, as fast as the server can. `event`: CPU time of one in µs. */
async function echo(server, load, size) {
  return { event: (await cpuOf(server, load, 'echo', size)) / size.events };
}

/** Events at a constant rate. `p99`: latencies in µs, one for each 500 events. */
const pace = async ({ address }, load, size) => ({ p99: await load.request('pace', { ...address, ...size }) });

/** Clients that connect and disconnect. `connection`: CPU time of one in µs. */
async function churn(server, load, size) {
  return { connection: (await cpuOf(server, load, 'churn', size)) / size.count };
}

/** Broadcasts to all members of a room. `delivery`: CPU time of one broadcast to one member in µs. */
async function broadcast(server, load, size) {
  return { delivery: (await cpuOf(server, load, 'broadcast', size)) / (size.broadcasts * size.members) };
}

/** Clients that are connected and idle. `heap`: KB of one. */
async function heap({ child, address }, load, { idle }) {
  const before = await child.request('heap');
  const group = { ...address, name: `${address.name}, idle` };
  await load.request('open', { ...group, count: idle });
  const after = await child.request('heap');
  await load.request('close', group);
  return { heap: (after - before) / idle / 1024 };
}

module.exports = { echo, pace, churn, broadcast, heap };
