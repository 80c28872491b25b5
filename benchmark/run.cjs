// `npm run bench`: measures the plugin, and the same applications written by hand in Egg. README.md lists the options.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const measure = require('./measure/sets.cjs');
const { measureLinks } = require('./links.cjs');
const measureObservability = require('./observability.cjs');
const measurePresence = require('./presence.cjs');
const { prepare, compile } = require('./prepare.cjs');
const { chart, shortChart } = require('./report/chart.cjs');
const { updateReadme } = require('./report/readme.cjs');
const { report } = require('./report/tables.cjs');
const { choose } = require('./servers/index.cjs');
const { FULL, QUICK, checkOpenFiles } = require('./sizes.cjs');

const RESULTS = path.join(__dirname, 'results');

/** Parses the command line. */
function options() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      only: { type: 'string' },
      sets: { type: 'string' },
      links: { type: 'boolean', default: false },
      observability: { type: 'boolean', default: false },
      presence: { type: 'boolean', default: false },
    },
  });
  const { quick, all, only, sets, links, observability, presence } = values;
  const sizes = quick ? QUICK : FULL;
  const count = Number(sets ?? sizes.sets);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--sets: expected a positive integer, got ${sets}`);
  const isPartial = quick || only !== undefined || sets !== undefined;
  const [nodeMajor] = process.versions.node.split('.');
  const name = isPartial ? 'quick' : all ? 'all' : `node${nodeMajor}`;
  return {
    links,
    observability,
    presence,
    servers: choose({ all, names: only?.split(',') }),
    sizes: { ...sizes, sets: count },
    name,
  };
}

/** Shows progress on one line of the terminal, or on a line for each step if stderr is no terminal. */
function progress(text) {
  const { isTTY, columns = 80 } = process.stderr;
  process.stderr.write(isTTY ? `\r${text.slice(0, columns - 1).padEnd(columns - 1)}` : `${text}\n`);
}

async function main() {
  const { links, observability, presence, servers, sizes, name } = options();
  if (links) {
    compile();
    await measureLinks();
    return;
  }
  if (presence) {
    compile();
    await measurePresence();
    return;
  }
  if (observability) {
    compile();
    await measureObservability({ sets: sizes.sets, progress });
    return;
  }
  checkOpenFiles(servers.length * sizes.members + sizes.heap.idle);
  prepare();
  const begin = Date.now();
  const results = await measure(servers, sizes, progress);
  const run = {
    date: new Date().toISOString(),
    minutes: (Date.now() - begin) / 60_000,
    node: process.versions.node,
    machine: `${os.cpus()[0].model.trim()}, ${os.availableParallelism()} cores`,
    sets: sizes.sets,
    servers: results,
  };
  const text = report(run);
  fs.mkdirSync(RESULTS, { recursive: true });
  write(`${name}.json`, stringify(run));
  write(`${name}.md`, text);
  if (name === 'all') {
    write('chart.svg', chart(run));
    write('speed.svg', shortChart(run));
  }
  if (name.startsWith('node')) updateReadme();
  console.log(`\n${text}`);
}

/** JSON with one line for each server. */
function stringify({ servers, ...head }) {
  const lines = Object.entries(servers).map(([name, figures]) => `  "${name}": ${JSON.stringify(figures, rounded)}`);
  return `${JSON.stringify(head, null, 1).slice(0, -2)},\n "servers": {\n${lines.join(',\n')}\n }\n}\n`;
}

const rounded = (_key, value) => (typeof value === 'number' ? Number(value.toPrecision(5)) : value);

function write(file, text) {
  fs.writeFileSync(path.join(RESULTS, file), text);
}

main().catch((err) => {
  console.error(err);
  // The servers exit when their IPC channel closes.
  process.exit(1);
});
