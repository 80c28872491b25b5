// How much the benchmark measures: the sizes of a full run and of `--quick`.
const { spawnSync } = require('node:child_process');

const FULL = {
  // Each set starts new processes. Two processes of the same server differ by up to 15 %, so more sets say more than more rounds.
  sets: 6,
  // Rounds of each kind of load in a set, in this order.
  rounds: { echo: 3, pace: 2, churn: 4, broadcast: 3, heap: 1 },
  // Clients that are connected to each server.
  members: 500,
  // Load before the first round, until V8 has compiled the server.
  warmUp: { churn: { count: 2500 }, echo: { events: 20_000 }, broadcast: { broadcasts: 60 } },
  // Large enough for its share of garbage collection: Node 24 collects young objects once in some 13,000 events.
  echo: { events: 15_000, senders: 50, window: 200 },
  pace: { events: 10_000, senders: 50, rate: 10_000 },
  churn: { count: 400, width: 10 },
  broadcast: { broadcasts: 60, window: 4 },
  // With the members 2000 in all, just below a power of two: above it, the tables of Socket.IO would double.
  heap: { idle: 1500 },
};

const QUICK = {
  ...FULL,
  sets: 1,
  rounds: { echo: 3, pace: 1, churn: 2, broadcast: 2, heap: 1 },
  members: 200,
  warmUp: { churn: { count: 2000 }, echo: { events: 15_000 }, broadcast: { broadcasts: 50 } },
  echo: { ...FULL.echo, events: 10_000 },
  pace: { ...FULL.pace, events: 5000 },
  churn: { ...FULL.churn, count: 200 },
  heap: { idle: 1800 },
};

/**
 * Checks the limit of open files, which Node has already raised as far as it may.
 *
 * @throws Error - if a process may not have so many connections
 */
function checkOpenFiles(connections) {
  const limit = Number(spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).stdout);
  const needed = connections + 200;
  if (limit < needed) {
    throw new Error(
      `${connections} connections need ${needed} open files, the limit is ${limit}: run \`ulimit -n ${needed}\``,
    );
  }
}

module.exports = { FULL, QUICK, checkOpenFiles };
