// The figures that the benchmark measures, and the targets of the plugin.

const FIGURES = [
  { key: 'event', title: 'CPU per event', unit: 'µs', digits: 1 },
  { key: 'connection', title: 'CPU per connection', unit: 'µs', digits: 0 },
  { key: 'heap', title: 'heap per idle connection', unit: 'KB', digits: 1 },
  { key: 'delivery', title: 'CPU per broadcast delivery', unit: 'µs', digits: 2 },
  { key: 'p99', title: 'p99 latency of an event', unit: 'µs', digits: 0 },
];

/**
 * The highest ratio of a server to its base: on Node 24 and later, and on Node before 24, which runs a hook for each promise once
 * AsyncLocalStorage is in use.
 */
const TARGETS = [
  { title: 'CPU per event', server: 'plugin', figure: 'event', node24: 1.12, before24: 1.18 },
  { title: 'CPU per event, lean', server: 'lean', figure: 'event', node24: 1.08, before24: 1.13 },
  { title: 'CPU per event, typical', server: 'typical', figure: 'event', node24: 1.05, before24: 1.05 },
  { title: 'CPU per connection', server: 'plugin', figure: 'connection', node24: 1.1, before24: 1.1 },
  { title: 'heap per idle connection', server: 'plugin', figure: 'heap', node24: 1.12, before24: 1.12 },
  { title: 'CPU per broadcast delivery', server: 'plugin', figure: 'delivery', node24: 1.05, before24: 1.05 },
  { title: 'p99 latency of an event', server: 'plugin', figure: 'p99', node24: 1.25, before24: 1.25 },
];

/** The target for a version of Node, `24.1.0` or the like. */
const targetOf = ({ node24, before24 }, node) => (Number.parseInt(node, 10) >= 24 ? node24 : before24);

module.exports = { FIGURES, TARGETS, targetOf };
