// The chart of the README, as SVG. Used by run.cjs.
const FIGURES = require('./figures.cjs');

const SHOWN = ['event', 'connection', 'heap', 'delivery', 'p99'];
const COLOURS = { bare: '#8b949e', floor: '#8b949e', plugin: '#2f81f7', lean: '#79b8ff', other: '#d29922' };
const [WIDTH, LABEL, BAR, ROW] = [760, 220, 440, 18];
// What is beyond is cut off at the edge; its number is true.
const LONGEST = 3.2;

const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 14px; }
.axis { stroke: #8b949e; stroke-dasharray: 3 3; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } }`;

/** One panel for each figure, with a bar for each server: ratios to bare, the line is bare itself. */
function chart(servers) {
  const others = servers.filter(({ name }) => name !== 'bare');
  const figures = FIGURES.filter(({ key }) => SHOWN.includes(key));
  const longest = Math.max(...others.flatMap(({ figures: own }) => SHOWN.map((key) => own[key].toBare.median)));
  const scale = BAR / Math.min(longest, LONGEST);
  const high = others.length * ROW + 44;
  const panels = figures.map(({ key, title }, n) => panel(title, others, key, n * high + 34, scale));
  const height = figures.length * high + 40;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>Ratios to bare Socket.IO 4; less is better</title>
<style>${STYLE}
</style>
<text x="10" y="22">Ratios to bare Socket.IO 4 (the dashed line); less is better. Thin lines: from the lowest set of processes to the highest.</text>
${panels.join('\n')}
</svg>
`;
}

function panel(title, servers, key, top, scale) {
  const line = LABEL + scale;
  const bottom = top + 28 + servers.length * ROW;
  const bars = servers.map((server, n) => bar(server, server.figures[key].toBare, top + 28 + n * ROW, scale));
  return `<text class="title" x="10" y="${top + 18}">${title}</text>
${bars.join('\n')}
<line class="axis" x1="${line.toFixed(1)}" x2="${line.toFixed(1)}" y1="${top + 24}" y2="${bottom}"/>`;
}

/** With a thin line from the lowest set to the highest. */
function bar({ name, title }, { median, low, high }, y, scale) {
  const x = (value) => Math.min(LABEL + value * scale, LABEL + BAR + 40).toFixed(1);
  const colour = COLOURS[name.replace(/\d$/, '')] ?? COLOURS.other;
  const middle = y + ROW / 2 - 1;
  return `<text x="${LABEL - 8}" y="${y + 12}" text-anchor="end">${title}</text>
<rect x="${LABEL}" y="${y + 1}" width="${(x(median) - LABEL).toFixed(1)}" height="${ROW - 4}" rx="2" fill="${colour}"/>
<line x1="${x(low)}" x2="${x(high)}" y1="${middle}" y2="${middle}" stroke="#57606a" stroke-width="1.5"/>
<text x="${Number(x(Math.max(median, high))) + 8}" y="${y + 12}">${median.toFixed(2)}</text>`;
}

module.exports = { chart };
