// `npm run bench -- --observability`: what the access log and OpenTelemetry cost, as ratios to the same application without subscribers.
const measure = require('./measure/sets.cjs');
const { ratio } = require('./report/statistics.cjs');
const { FULL } = require('./sizes.cjs');

const VARIANTS = {
  none: 'no subscriber',
  'access-log': 'access log',
  api: 'OpenTelemetry: the API without an SDK',
  tracing: 'OpenTelemetry: SDK, all spans to a batch processor',
  prometheus: 'metrics by prom-client',
  'otel-metrics': 'OpenTelemetry: SDK, metrics',
  'tracing-sampled': 'OpenTelemetry: SDK, 1 % of the traces',
};
const FIGURES = ['event', 'connection', 'heap'];
const SIZES = { ...FULL, members: 200, rounds: { echo: 3, churn: 3, heap: 1 } };

/** Measures the variants of the server `plugin4` in turns, and prints a table. */
async function measureObservability({ sets, progress }) {
  const servers = Object.keys(VARIANTS).map((name) => ({ name, args: ['egg.cjs', 'plugin', '4', name] }));
  const results = await measure(servers, { ...SIZES, sets }, progress);
  console.log('\n| what subscribes | CPU per event | CPU per connection | heap per idle connection |');
  console.log('| --- | --: | --: | --: |');
  for (const [name, title] of Object.entries(VARIANTS)) {
    const cells = FIGURES.map((figure) => {
      const { median, low, high } = ratio(results, name, 'none', figure);
      return `${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
    });
    console.log(`| ${[title, ...cells].join(' | ')} |`);
  }
}

module.exports = measureObservability;
