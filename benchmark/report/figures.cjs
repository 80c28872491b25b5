// What is measured, as the tables and the chart name it. Used by tables.cjs and chart.cjs.

/** `target` is the ratio to the floor that the plugin may reach at most; `lean` the same without packet middleware. */
module.exports = [
  { key: 'event', title: 'CPU per answered event', unit: 'µs', digits: 1, target: 1.15, lean: 1.08 },
  { key: 'connection', title: 'CPU per connection', unit: 'µs', digits: 0, target: 1.1 },
  { key: 'heap', title: 'heap per idle connection', unit: 'KB', digits: 1, target: 1.1 },
  { key: 'rss', title: 'RSS per idle connection', unit: 'KB', digits: 1 },
  { key: 'delivery', title: 'CPU per broadcast delivery', unit: 'µs', digits: 2, target: 1.03 },
  { key: 'p50', title: 'p50 of an answered event', unit: 'µs', digits: 0 },
  { key: 'p99', title: 'p99 of an answered event', unit: 'µs', digits: 0, target: 1.2 },
  { key: 'rate', title: 'events a second', unit: '', digits: 0 },
  { key: 'connections', title: 'connections a second', unit: '', digits: 0 },
  { key: 'left', title: 'heap left', unit: 'KB', digits: 0, absolute: true },
];
