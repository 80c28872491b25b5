// What is asked for on the command line, and how much is measured. Used by run.cjs and count.cjs.
const { spawnSync } = require('node:child_process');
const { parseArgs } = require('node:util');

const FULL = {
  // How often all servers are started anew for it: two processes of one server differ by a tenth, as long as they run. More of these
  // tell more than more rounds.
  sets: 10,
  // One kind of load after the other, each in so many rounds: what one leaves to be collected is not charged to another.
  rounds: { echo: 3, pace: 4, churn: 4, broadcast: 3 },
  // What each server does before it is measured: until then it's the compiler that is measured.
  warm: { echo: { events: 40_000 }, churn: { count: 5000 }, broadcast: { broadcasts: 150 } },
  // No shorter: each slice shall have its share of the garbage collector's work, which comes with some 13,000 events on Node 24.
  echo: { events: 20_000, members: 50, window: 200 },
  pace: { events: 10_000, members: 50, rate: 10_000 },
  churn: { count: 400, width: 10 },
  broadcast: { broadcasts: 60, members: 500, window: 4 },
  memory: { rounds: 3, idle: 2000, warm: 6000, churn: 10_000 },
  scaling: { sets: 4, rounds: 5, events: 10_000 },
};

const QUICK = {
  sets: 1,
  rounds: { echo: 6, pace: 3, churn: 3, broadcast: 3 },
  warm: { echo: { events: 30_000 }, churn: { count: 200 }, broadcast: { broadcasts: 30 } },
  echo: { ...FULL.echo, events: 4000 },
  pace: { ...FULL.pace, events: 2000 },
  churn: { ...FULL.churn, count: 150 },
  broadcast: { broadcasts: 40, members: 200, window: 4 },
  memory: { rounds: 1, idle: 400, warm: 200, churn: 300 },
  scaling: { sets: 1, rounds: 3, events: 5000 },
};

/** `{ quick, scaling, only, kind, sizes, name }`; `name` is that of the files of results. */
function options() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      scaling: { type: 'boolean' },
      only: { type: 'string' },
      kind: { type: 'string' },
      sets: { type: 'string' },
      name: { type: 'string' },
    },
  });
  const {
    quick = false,
    scaling = false,
    only,
    kind,
    sets,
    name = quick || only || kind || sets ? 'quick' : 'latest',
  } = values;
  if (scaling && (only || kind || sets)) throw new Error('--scaling goes with --quick only');
  const sizes = quick ? QUICK : FULL;
  return { quick, scaling, only: only?.split(','), kind, sizes: changed(sizes, kind, sets), name };
}

/** Sizes with one kind of load only, if one is named, in twice as many rounds; and with so many sets. */
function changed(sizes, kind, sets = sizes.sets) {
  const all = { ...sizes, sets: count('--sets', sets) };
  if (!kind) return all;
  if (!Object.hasOwn(all.rounds, kind)) throw new Error(`--kind is one of ${Object.keys(all.rounds)}, not ${kind}`);
  return { ...all, rounds: { [kind]: 2 * all.rounds[kind] }, memory: { ...all.memory, rounds: 0 } };
}

/** @throws where an option is no number of times */
function count(option, value) {
  const times = Number(value);
  if (!(Number.isInteger(times) && times > 0)) throw new Error(`${option} is a whole number from 1 on, not ${value}`);
  return times;
}

/** Fails where a process may not have so many connections. Node has raised its own limit as far as it may. */
function needFiles(count) {
  const limit = Number(spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).stdout);
  if (limit < count + 200) {
    throw new Error(
      `${count} connections need more open files than the ${limit} of this shell: run \`ulimit -n ${count + 200}\` first`,
    );
  }
}

module.exports = { FULL, options, count, needFiles };
