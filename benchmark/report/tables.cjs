// The results as tables of Markdown. Used by run.cjs and count.cjs.
const FIGURES = require('./figures.cjs');

const row = (cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows) => [row(head), row(head.map((_, n) => (n ? '--:' : '---'))), ...rows.map(row)].join('\n');
const ratio = ({ median, low, high }) => `${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
const heading = ({ title, unit }) => (unit ? `${title}, ${unit}` : title);

/** Those that were measured: `--kind` names what is. */
const figuresOf = ([{ figures }]) => FIGURES.filter(({ key }) => figures[key]);

/** One row per server, one column per figure that has ratios. */
function ratioTable(servers, key) {
  const figures = figuresOf(servers).filter(({ absolute }) => !absolute);
  const [first] = figures;
  const rows = servers
    .filter(({ name, figures: own }) => own[first.key][key] && !(key === 'toFloor' ? /^floor/ : /^bare/).test(name))
    .map(({ title, figures: own }) => [title, ...figures.map((figure) => ratio(own[figure.key][key]))]);
  return table(['', ...figures.map(({ title }) => title)], rows);
}

/** The medians as they are. */
function valueTable(servers) {
  const shown = figuresOf(servers);
  const rows = servers.map(({ title, figures }) => {
    return [title, ...shown.map(({ key, digits }) => figures[key].median.toFixed(digits))];
  });
  return table(['', ...shown.map(heading)], rows);
}

/** Where the plugin is, and where it should be. */
function targetTable(servers) {
  const rows = [];
  for (const { name, title, figures } of servers) {
    const kind = name.startsWith('lean') ? 'lean' : 'target';
    if (!/^(plugin|lean)/.test(name)) continue;
    for (const figure of figuresOf(servers).filter((each) => each[kind])) {
      const { toFloor } = figures[figure.key];
      const met = toFloor.median <= figure[kind] ? 'yes' : 'no';
      rows.push([`${title}: ${figure.title}`, ratio(toFloor), figure[kind].toFixed(2), met]);
    }
  }
  return table(['', 'ratio to the floor', 'target: at most', 'met'], rows);
}

/** `6 sets of processes, each with 7 rounds of echo, 2 of pace, …` */
const rounds = (sizes) => {
  const [[kind, first], ...others] = Object.entries(sizes.rounds);
  return [
    `${sizes.sets} sets of processes, each with ${first} rounds of ${kind}`,
    ...others.map(([other, count]) => `${count} of ${other}`),
  ].join(', ');
};

/** How often heap was measured, if it was. */
const heaps = ({ rounds: processes, churn }) =>
  processes
    ? ` Heap and
RSS: ${processes} processes of each server. Heap left: of one, after ${churn} connections came and went.`
    : '';

function markdown({ servers, machine, sizes }) {
  return `# What was measured

${machine}. ${rounds(sizes)}.
Of each process the median of its slices; of the sets the median, and in brackets the lowest and the highest.${heaps(sizes.memory)}

## Ratios to bare Socket.IO in the same set

${ratioTable(servers, 'toBare')}

## Ratios to the floor (Socket.IO by hand in the same Egg) in the same set

${ratioTable(servers, 'toFloor')}

## Ratios to the same by hand in the same set

What is left when the application's own middleware, its controller, and app.currentContext are not counted as the plugin's.

${ratioTable(servers, 'toHand')}

## Targets

${targetTable(servers)}

## As measured

${valueTable(servers)}
`;
}

module.exports = { markdown, table, ratio };
