// What the plugin costs beside bare Socket.IO and its peers: `npm run bench`, with `-- --quick`, `-- --only plugin,nest`, `-- --kind broadcast` or `-- --scaling`.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const prepare = require('./prepare.cjs');
const { choose } = require('./servers/index.cjs');
const { options, needFiles } = require('./sizes.cjs');

const RESULTS = path.join(__dirname, 'results');

/** A line that says what goes on. On a terminal it is written over. */
function say(text) {
  const { isTTY, columns = 80 } = process.stderr;
  process.stderr.write(isTTY ? `\r${text.slice(0, columns - 1).padEnd(columns - 1)}` : `${text}\n`);
}

async function main() {
  const { quick, only, kind, scaling, sizes, name } = options();
  const chosen = choose(only);
  prepare();
  const machine = `Node ${process.version}, ${os.cpus()[0].model.trim()}, ${os.availableParallelism()} cores`;
  if (scaling) return scale(quick, sizes, machine);
  needFiles(chosen.length * sizes.broadcast.members + (sizes.memory.rounds && sizes.memory.idle));
  const { measure } = require('./measure/rounds.cjs');
  const { summarize } = require('./report/statistics.cjs');
  const { markdown } = require('./report/tables.cjs');
  const { chart } = require('./report/chart.cjs');
  const servers = summarize(chosen, await measure(chosen, sizes, say));
  const text = markdown({ servers, machine, sizes });
  write(`${name}.json`, `${JSON.stringify({ date: new Date().toISOString(), machine, sizes, servers }, rounded, 1)}\n`);
  write(`${name}.md`, text);
  if (!kind) write(name === 'latest' ? 'chart.svg' : `${name}.svg`, chart(servers));
  console.log(`\n${text}`);
}

async function scale(quick, sizes, machine) {
  const { measure, markdown } = require('./measure/scaling.cjs');
  needFiles(12_500);
  const measured = await measure(sizes.scaling, say);
  const text = markdown(measured, machine, sizes.scaling);
  write(quick ? 'quick-scaling.md' : 'scaling.md', text);
  console.log(`\n${text}`);
}

const rounded = (_key, value) => (typeof value === 'number' ? Number(value.toPrecision(5)) : value);

function write(name, text) {
  fs.mkdirSync(RESULTS, { recursive: true });
  fs.writeFileSync(path.join(RESULTS, name), text);
}

main().catch((err) => {
  console.error(err);
  // The servers end when their channel does.
  process.exit(1);
});
