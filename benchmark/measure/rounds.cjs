// The servers take turns in short slices, so that what else the machine does hits all of them alike. Used by run.cjs, and in parts
// by scaling.cjs and count.cjs.
const path = require('node:path');
const Child = require('./child.cjs');
const slices = require('./slices.cjs');

const SERVERS = path.join(__dirname, '../servers');

/** A server in a process of its own, with what the load needs to find it. */
async function start({ name, args: [file, ...rest], eio }, env, under) {
  const child = await Child.start([path.join(SERVERS, file), ...rest], 0, env, under);
  return { name, child, address: { name, port: child.ready, eio } };
}

/** The list, begun at another place each round. */
const rotated = (list, round) => list.map((_, n) => list[(n + round) % list.length]);

/** Per figure and server what each set of processes has measured, slice by slice: `{ event: { bare: [[15.5, …], …], … }, … }`. */
class Measured {
  add(name, set, figures) {
    for (const [figure, value] of Object.entries(figures)) {
      this[figure] ??= {};
      this[figure][name] ??= [];
      this[figure][name][set] ??= [];
      this[figure][name][set].push(...[value].flat());
    }
  }
}

async function measure(chosen, sizes, say) {
  const measured = new Measured();
  const load = await Child.start([path.join(__dirname, 'load.cjs')], 1);
  // The load has to be compiled as well: the first server that it warms up would stay dearer than the others.
  await speed(
    chosen.slice(0, 1),
    { ...sizes, rounds: {} },
    load,
    () => {},
    (text) => say(`warming up: ${text}`),
  );
  for (let set = 0; set < sizes.sets; set++) {
    const add = (name, figures) => measured.add(name, set, figures);
    await speed(rotated(chosen, set), sizes, load, add, (text) => say(`set ${set + 1} of ${sizes.sets}, ${text}`));
  }
  await memory(chosen, sizes, load, measured, say);
  await load.stop();
  return measured;
}

/** What costs time: all servers are there at once. */
async function speed(chosen, sizes, load, add, say) {
  const servers = [];
  for (const each of chosen) {
    say(`starting ${each.name}`);
    const server = await start(each);
    servers.push(server);
    await load.ask('open', { ...server.address, count: sizes.broadcast.members });
    await load.ask('check', server.address);
    for (const [kind, size] of Object.entries(sizes.warm))
      await slices[kind](server, load, { ...sizes[kind], ...size });
  }
  for (const [kind, rounds] of Object.entries(sizes.rounds)) {
    for (let round = 0; round < rounds; round++) {
      for (const server of rotated(servers, round)) {
        say(`${kind}, round ${round + 1} of ${rounds}: ${server.name}`);
        add(server.name, await slices[kind](server, load, sizes[kind]));
      }
    }
  }
  for (const server of servers) {
    await load.ask('close', server.address);
    await server.child.stop();
  }
}

/** What costs memory: each server anew, as what a process has given back it may keep for later. */
async function memory(chosen, sizes, load, measured, say) {
  const { rounds, churn, ...size } = sizes.memory;
  for (let round = 0; round < rounds; round++) {
    for (const each of rotated(chosen, round)) {
      say(`memory, round ${round + 1} of ${rounds}: ${each.name}`);
      const server = await start(each);
      measured.add(each.name, round, await slices.memory(server, load, { ...size, churn: round === 0 && churn }));
      await server.child.stop();
    }
  }
}

module.exports = { measure, start, rotated, Measured };
