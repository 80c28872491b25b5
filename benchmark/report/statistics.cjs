// Medians with their spread, and ratios within a round. Used by run.cjs and scaling.cjs.

/** The median and the middle half. */
function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part) => {
    const place = (sorted.length - 1) * part;
    const low = Math.floor(place);
    const high = Math.ceil(place);
    return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

/** The summary of the ratios of what was measured in the same round. */
const ratios = (values, to) => summary(values.map((value, round) => value / to[round]));

/** Per server and figure: the values of the rounds, and the ratios to bare and to its floor. */
function summarize(servers, measured) {
  return servers.map(({ name, title, floor, hand }) => {
    const figures = {};
    for (const [figure, all] of Object.entries(measured)) {
      const values = all[name];
      figures[figure] = { values, ...summary(values), toBare: ratios(values, all.bare) };
      if (hand) figures[figure].toHand = ratios(values, all[hand]);
      if (floor) figures[figure].toFloor = ratios(values, all[floor]);
    }
    return { name, title, figures };
  });
}

/** What one step more of `xs` costs, by least squares. */
function slope(xs, ys) {
  const mean = (list) => list.reduce((sum, each) => sum + each, 0) / list.length;
  const [x, y] = [mean(xs), mean(ys)];
  const over = xs.reduce((sum, each, n) => sum + (each - x) * (ys[n] - y), 0);
  return over / xs.reduce((sum, each) => sum + (each - x) ** 2, 0);
}

module.exports = { summary, ratios, summarize, slope };
