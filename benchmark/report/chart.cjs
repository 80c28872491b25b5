// The charts of benchmark/README.md and of the repository's README, in SVG: all servers beside Socket.IO 4 on Node.
const { SERVERS } = require('../servers/index.cjs');
const { FIGURES } = require('./figures.cjs');
const { ratio } = require('./statistics.cjs');

const COLOURS = { floor: '#8b949e', plugin: '#2f81f7', lean: '#79b8ff', other: '#d29922' };
const [WIDTH, LABEL, BAR, ROW] = [760, 220, 440, 18];
// Longer bars are cut off; their number is not.
const LONGEST = 3.2;

const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.page { fill: #ffffff; stroke: #d0d7de; }
.title { font-weight: 600; font-size: 14px; }
.axis { stroke: #8b949e; stroke-dasharray: 3 3; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .page { fill: #0d1117; stroke: #30363d; } }`;

/** One panel for each figure, with a bar for each server. The dashed line of a panel is Socket.IO 4 on Node. */
function chart({ servers: results }, figures = FIGURES, leftOut = ['bare']) {
  const isShown = ({ name, kinds }) => results[name] && !kinds && !leftOut.includes(name);
  const servers = SERVERS.filter(isShown);
  const panels = figures.map(({ key, title }) => ({
    title,
    bars: servers.map((server) => ({ ...server, ...ratio(results, server.name, 'bare', key) })),
  }));
  const longest = Math.max(...panels.flatMap(({ bars }) => bars.map(({ median }) => median)));
  const scale = BAR / Math.min(longest, LONGEST);
  const panelHeight = servers.length * ROW + 44;
  const height = panels.length * panelHeight + 40;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>Ratios to Socket.IO 4 on Node; less is better</title>
<style>${STYLE}
</style>
<rect class="page" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
<text x="10" y="22">Ratios to Socket.IO 4 on Node (dashed line); less is better. Thin lines: the spread of the sets.</text>
${panels.map(({ title, bars }, n) => panel(title, bars, n * panelHeight + 34, scale)).join('\n')}
</svg>
`;
}

/** The chart of the repository's README: two figures, without the lean servers. */
function shortChart(run) {
  const figures = FIGURES.filter(({ key }) => key === 'event' || key === 'heap');
  return chart(run, figures, ['bare', 'lean3', 'lean4']);
}

function panel(title, bars, top, scale) {
  const line = LABEL + scale;
  const bottom = top + 28 + bars.length * ROW;
  return `<text class="title" x="10" y="${top + 18}">${title}</text>
${bars.map((each, n) => bar(each, top + 28 + n * ROW, scale)).join('\n')}
<line class="axis" x1="${line.toFixed(1)}" x2="${line.toFixed(1)}" y1="${top + 24}" y2="${bottom}"/>`;
}

function bar({ name, title, median, low, high }, y, scale) {
  const x = (value) => Math.min(LABEL + value * scale, LABEL + BAR + 40).toFixed(1);
  const colour = COLOURS[name.replace(/\d$/, '')] ?? COLOURS.other;
  const middle = y + ROW / 2 - 1;
  return `<text x="${LABEL - 8}" y="${y + 12}" text-anchor="end">${title}</text>
<rect x="${LABEL}" y="${y + 1}" width="${(x(median) - LABEL).toFixed(1)}" height="${ROW - 4}" rx="2" fill="${colour}"/>
<line x1="${x(low)}" x2="${x(high)}" y1="${middle}" y2="${middle}" stroke="#57606a" stroke-width="1.5"/>
<text x="${Number(x(Math.max(median, high))) + 8}" y="${y + 12}">${median.toFixed(2)}</text>`;
}

module.exports = { chart, shortChart };
