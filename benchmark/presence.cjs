// `npm run bench -- --presence`: what a tracked socket costs in memory, and what a join costs beside an emit to a room of the same clients, on
// four workers.
const { setTimeout: delay } = require('node:timers/promises');
const { cluster, end } = require('./links.cjs');
const { median } = require('./report/statistics.cjs');

const WORKERS = 4;
const TRACKED = 10_000;
const CLIENTS = 1_000;
const ROUNDS = 8;
/** Joins and emits of a round. */
const PER_ROUND = 25;
/** Longer than the window of a diff, in ms. */
const PAUSE = 40;

/** Measures, and prints the figures. */
async function measurePresence() {
  const started = [];
  try {
    const { clients, connect } = await cluster(started, 'presence', WORKERS, {});
    await memory(clients);
    await joins(clients, connect);
  } finally {
    end(started);
  }
}

const ask = (clients, ...args) => Promise.all(clients.map((client) => client.emitWithAck(...args)));

async function memory(clients) {
  await ask(clients, 'prepare', TRACKED / WORKERS);
  // Loads and compiles.
  await ask(clients, 'list');
  const before = await ask(clients, 'heap');
  await Promise.all(clients.map((client, i) => client.emitWithAck('fill', `user-${i}`)));
  while ((await ask(clients, 'count')).some((count) => count < TRACKED)) await delay(50);
  await delay(200);
  const after = await ask(clients, 'heap');
  const bytes = median(after.map((heap, i) => (heap - before[i]) / TRACKED));
  const ms = median(await ask(clients, 'list'));
  console.log(
    `${TRACKED} tracked sockets on ${WORKERS} workers: ${Math.round(bytes)} bytes each on every worker, list() takes ${ms.toFixed(1)} ms`,
  );
}

async function joins(clients, connect) {
  const members = await Promise.all(Array.from({ length: CLIENTS }, connect));
  await Promise.all(members.map((client, i) => client.emitWithAck('enter', `member-${i}`)));
  const newcomers = await Promise.all(Array.from({ length: PER_ROUND }, connect));
  const sum = async () => (await ask(clients, 'cpu')).reduce((total, cpu) => total + cpu, 0);
  /** Returns the CPU time of all workers for one call, in µs. */
  const measured = async (event) => {
    const begin = await sum();
    for (const [i, client] of newcomers.entries()) {
      await client.emitWithAck(event, `newcomer-${i}`);
      await delay(PAUSE);
    }
    return ((await sum()) - begin) / PER_ROUND;
  };
  const ratios = [];
  const costs = [];
  for (let n = 0; n <= ROUNDS; n++) {
    const emit = await measured('emit');
    const join = await measured('track');
    await Promise.all(newcomers.map((client) => client.emitWithAck('untrack')));
    await delay(200);
    // The first round compiles the code.
    if (n > 0) ratios.push(join / emit);
    if (n > 0) costs.push([join, emit]);
  }
  const [join, emit] = [0, 1].map((i) => Math.round(median(costs.map((cost) => cost[i]))));
  const range = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
  console.log(
    `${CLIENTS} clients: CPU of all workers ${join} µs a join, ${emit} µs an emit to the same room; ratio ${median(ratios).toFixed(2)} (${range})`,
  );
  for (const client of [...members, ...newcomers]) client.close();
}

module.exports = measurePresence;
