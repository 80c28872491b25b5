// What a run says: the median of each process's slices, and ratios of processes that took turns. Used by run.cjs, scaling.cjs and count.cjs.

/** The value below which so great a part of them is. */
function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const low = Math.floor(place);
  const high = Math.ceil(place);
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
}

/** The median, the lowest and the highest. */
const range = (values) => ({ median: quantile(values, 0.5), low: Math.min(...values), high: Math.max(...values) });

/** The ratios of what was measured in the same set. */
const ratios = (values, to) => range(values.map((value, set) => value / to[set]));

/**
 * Per server and figure: the median of its slices in each set of processes, and the ratios to bare, to its floor and to the
 * same by hand in the same set.
 */
function summarize(servers, measured) {
  return servers.map(({ name, title, floor, hand }) => {
    const figures = {};
    for (const [figure, slices] of Object.entries(measured)) {
      const medians = (of) => slices[of].map((values) => quantile(values, 0.5));
      const own = medians(name);
      const to = (other) => ratios(own, medians(other));
      figures[figure] = { values: own, ...range(own), toBare: to('bare') };
      if (hand) figures[figure].toHand = to(hand);
      if (floor) figures[figure].toFloor = to(floor);
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

module.exports = { range, quantile, ratios, summarize, slope };
