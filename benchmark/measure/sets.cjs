// A set: each server in a new process, all measured in turns, so that other load on the machine affects all of them alike.
const path = require('node:path');
const { median } = require('../report/statistics.cjs');
const Child = require('./child.cjs');
const slices = require('./slices.cjs');

const SERVERS = path.join(__dirname, '../servers');

/** The list, starting at another element each round. */
const rotated = (list, round) => list.map((_, n) => list[(n + round) % list.length]);

/**
 * Measures servers.
 *
 * @returns `{ [server]: { [figure]: number[] } }`: one value a set, the median of the rounds
 */
async function measure(servers, sizes, progress) {
  const load = await Child.start([path.join(__dirname, 'load.cjs')], 1);
  // Compiles the load generator. Otherwise the first server of the first set would be measured with a slower one.
  await measureSet(servers.slice(0, 1), { ...sizes, rounds: {} }, load, (text) => progress(`warming up, ${text}`));
  const results = Object.fromEntries(servers.map(({ name }) => [name, {}]));
  for (let set = 0; set < sizes.sets; set++) {
    const prefix = `set ${set + 1} of ${sizes.sets}`;
    const values = await measureSet(rotated(servers, set), sizes, load, (text) => progress(`${prefix}, ${text}`));
    for (const [name, figures] of values) {
      for (const [figure, rounds] of Object.entries(figures)) {
        results[name][figure] ??= [];
        results[name][figure].push(median(rounds));
      }
    }
  }
  await load.stop();
  return results;
}

/** One set. Returns a Map from the name of a server to `{ [figure]: number[] }` with the values of all rounds. */
async function measureSet(chosen, sizes, load, progress) {
  const servers = [];
  for (const each of chosen) {
    progress(`starting ${each.name}`);
    servers.push(await start(each, sizes, load));
  }
  const values = new Map(servers.map(({ name }) => [name, {}]));
  for (const [kind, rounds] of Object.entries(sizes.rounds)) {
    for (let round = 0; round < rounds; round++) {
      for (const server of rotated(servers, round).filter(({ kinds }) => isMeasured(kinds, kind))) {
        progress(`${kind}, round ${round + 1} of ${rounds}: ${server.name}`);
        const figures = values.get(server.name);
        for (const [figure, value] of Object.entries(await slices[kind](server, load, sizeOf(sizes, kind)))) {
          figures[figure] ??= [];
          figures[figure].push(...[value].flat());
        }
      }
    }
  }
  for (const { address, child } of servers) {
    await load.request('close', address);
    await child.stop();
  }
  return values;
}

/** Starts a server, connects its clients and warms it up. */
async function start({ name, args: [file, ...args], eio, kinds }, sizes, load) {
  const child = await Child.start([path.join(SERVERS, file), ...args], 0);
  const server = { name, kinds, child, address: { name, eio, ...child.ready } };
  // V8 sizes the objects of a class by the first few. They are created one by one here: ten clients that connect at once would have
  // less on their sockets at that time than one that is already connected, and another heap in each process.
  await load.request('churn', { ...server.address, width: 1, count: 20 });
  await load.request('open', { ...server.address, count: sizes.members });
  await load.request('check', server.address);
  for (const [kind, size] of Object.entries(sizes.warmUp)) {
    if (isMeasured(kinds, kind)) await slices[kind](server, load, { ...sizeOf(sizes, kind), ...size });
  }
  return server;
}

const isMeasured = (kinds, kind) => kinds === undefined || kinds.includes(kind);

const sizeOf = (sizes, kind) => ({ members: sizes.members, ...sizes[kind] });

module.exports = measure;
