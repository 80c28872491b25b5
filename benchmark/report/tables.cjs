// The report of a run, in Markdown.
const { SERVERS } = require('../servers/index.cjs');
const { FIGURES, TARGETS, targetOf } = require('./figures.cjs');
const { median, ratio } = require('./statistics.cjs');

const row = (cells) => `| ${cells.join(' | ')} |`;

/** A table whose first column is aligned to the left. */
const table = (head, rows) => [row(head), row(head.map((_, n) => (n ? '--:' : '---'))), ...rows.map(row)].join('\n');

/** The median of a figure with its unit, or nothing if it was not measured. */
function value(servers, name, { key, digits, unit }) {
  const values = servers[name]?.[key];
  return values ? `${median(values).toFixed(digits)} ${unit}` : '';
}

function verdict({ median: measured, low }, target) {
  // A report shows two decimals. The verdict must agree with them.
  if (Number(measured.toFixed(2)) <= target) return 'met';
  return low <= target ? 'missed, within the spread' : 'missed';
}

/** All targets that the run has measured: the ratio of the plugin to the same by hand. */
function targetTable({ node, servers }) {
  const rows = TARGETS.flatMap((target) =>
    ['3', '4'].flatMap((egg) => {
      const { name, base } = SERVERS.find(({ name }) => name === target.server + egg);
      const measured = ratio(servers, name, base, target.figure);
      if (measured === undefined) return [];
      const figure = FIGURES.find(({ key }) => key === target.figure);
      const limit = targetOf(target, node);
      return [
        [
          `${target.title}, Egg ${egg}`,
          limit.toFixed(2),
          measured.median.toFixed(2),
          `${measured.low.toFixed(2)}–${measured.high.toFixed(2)}`,
          verdict(measured, limit),
          value(servers, name, figure),
          value(servers, base, figure),
        ],
      ];
    }),
  );
  return rows.length && table(['figure', 'target', 'measured', 'spread', '', 'plugin', 'by hand'], rows);
}

/** All servers beside Socket.IO 4 on Node, if the run has measured it. */
function peerTable({ servers }) {
  const cell = (name, { key }) => {
    const measured = ratio(servers, name, 'bare', key);
    return measured ? `${measured.median.toFixed(2)} (${measured.low.toFixed(2)}–${measured.high.toFixed(2)})` : '';
  };
  const rows = SERVERS.filter(({ name, kinds }) => servers[name] && !kinds).map(({ name, title }) => [
    title,
    ...FIGURES.map((figure) => (name === 'bare' ? value(servers, name, figure) : cell(name, figure))),
  ]);
  return table(['', ...FIGURES.map(({ title }) => title)], rows);
}

function report(run) {
  const { date, minutes, node, machine, sets, servers } = run;
  const duration = minutes === undefined ? '' : `, ${minutes.toFixed(1)} minutes`;
  const targets = targetTable(run);
  const parts = [
    `# Benchmark on Node ${node}`,
    `${machine}. ${date.slice(0, 10)}${duration}. Sets of processes: ${sets}. Medians of the sets; spread: the lowest and the highest set.`,
  ];
  if (targets) parts.push('Ratios to the same application written by hand in the same Egg:', targets);
  if (servers.bare) parts.push('Ratios to Socket.IO 4 on Node, spread in brackets:', peerTable(run));
  return `${parts.join('\n\n')}\n`;
}

module.exports = { report, table };
