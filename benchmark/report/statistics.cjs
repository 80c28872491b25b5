// Medians and ratios of the sets of a run.

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/**
 * The ratio of a figure of two servers, set by set.
 *
 * @param servers - `{ [server]: { [figure]: number[] } }`
 * @returns the median, the lowest and the highest of the sets; undefined if one of the two was not measured
 */
function ratio(servers, name, base, figure) {
  const values = servers[name]?.[figure];
  const to = servers[base]?.[figure];
  if (values === undefined || to === undefined) return undefined;
  const ratios = values.map((value, set) => value / to[set]);
  return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) };
}

module.exports = { median, ratio };
