// The table of benchmark/README.md: the targets and what the last full runs on Node 24 and Node 20 have measured.
const fs = require('node:fs');
const path = require('node:path');
const { SERVERS } = require('../servers/index.cjs');
const { TARGETS } = require('./figures.cjs');
const { ratio } = require('./statistics.cjs');
const { table } = require('./tables.cjs');

const HOME = path.join(__dirname, '..');
const PLACE = /(?<=<!-- figures -->\n)[\s\S]*(?=<!-- end of figures -->)/;

/** Returns the result of a full run, `{ servers: {} }` if there is none. */
function resultOf(major) {
  const file = path.join(HOME, `results/node${major}.json`);
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : { servers: {} };
}

/** Writes the table from `results/node24.json` and `results/node20.json`. */
function updateReadme() {
  const runs = [resultOf(24), resultOf(20)];
  const head = ['figure', 'target', 'Node 24: Egg 3', 'Egg 4', 'Node 20: Egg 3', 'Egg 4'];
  const rows = TARGETS.map(({ title, server, figure, node24, before24 }) => {
    const limit = node24 === before24 ? node24.toFixed(2) : `${node24.toFixed(2)}, Node 20: ${before24.toFixed(2)}`;
    const cells = runs.flatMap(({ servers }) =>
      ['3', '4'].map((egg) => {
        const { name, base } = SERVERS.find(({ name }) => name === server + egg);
        return ratio(servers, name, base, figure)?.median.toFixed(2) ?? '–';
      }),
    );
    return [title, limit, ...cells];
  });
  const file = path.join(HOME, 'README.md');
  const text = fs.readFileSync(file, 'utf8').replace(PLACE, `${table(head, rows)}\n`);
  fs.writeFileSync(file, text);
}

module.exports = { updateReadme };
