// Whether the cost of an event grows with anything but the work: `npm run bench -- --scaling`. Used by run.cjs.
const path = require('node:path');
const Child = require('./child.cjs');
const { start, rotated, Measured } = require('./rounds.cjs');
const slices = require('./slices.cjs');
const { range, quantile, ratios, slope } = require('../report/statistics.cjs');
const { table, ratio } = require('../report/tables.cjs');

const MIDDLEWARES = [0, 1, 2, 4, 8];

const FLOOR = 'connections, floor';

/** What grows, and how far. The first of each kind is what the others are compared to. */
const VARIANTS = [
  ...[10, 1000, 5000].map((connections) => ({ kind: 'connections', step: connections, connections })),
  ...[10, 1000, 5000].map((connections) => ({
    kind: FLOOR,
    step: connections,
    connections,
    app: 'floor',
  })),
  ...[1, 50].map((routes) => ({ kind: 'routes', step: routes, routes })),
  ...[1, 20].map((namespaces) => ({ kind: 'namespaces', step: namespaces, namespaces })),
  ...MIDDLEWARES.map((middlewares) => ({ kind: 'packet middlewares', step: middlewares, middlewares })),
];

/** Starts one variant with its clients: at least as many as events are under way. */
async function begin(
  load,
  { kind, step, app = 'scaling', connections = 50, routes = 1, namespaces = 1, middlewares = 0 },
) {
  const names = Array.from({ length: namespaces }, (_, n) => (n ? `/n${n}` : '/'));
  const env = { NAMESPACES: names.join(), ROUTES: String(routes), MIDDLEWARES: String(middlewares) };
  const server = await start({ name: `${kind} ${step}`, args: ['egg.cjs', app, '4'] }, env);
  const clients = { count: connections, namespaces: names.map((name) => (name === '/' ? '' : name)) };
  await load.ask('open', { ...server.address, ...clients });
  return server;
}

async function end(load, { child, address }) {
  await load.ask('close', address);
  await child.stop();
}

async function measure({ sets, rounds, events }, say) {
  const measured = new Measured();
  const load = await Child.start([path.join(__dirname, 'load.cjs')], 1);
  const size = { events, window: 10 };
  const warm = { ...size, events: 40_000 };
  // The load has to be compiled as well: the first server that it warms up would stay dearer than the others.
  say('warming up');
  const first = await begin(load, VARIANTS[0]);
  await slices.echo(first, load, warm);
  await end(load, first);
  for (let set = 0; set < sets; set++) {
    const servers = [];
    for (const variant of rotated(VARIANTS, set)) {
      say(`set ${set + 1} of ${sets}, starting: ${variant.step} ${variant.kind}`);
      const server = await begin(load, variant);
      servers.push(server);
      await slices.echo(server, load, warm);
    }
    for (let round = 0; round < rounds; round++) {
      for (const server of rotated(servers, round)) {
        say(`set ${set + 1} of ${sets}, round ${round + 1} of ${rounds}: ${server.name}`);
        measured.add(server.name, set, await slices.echo(server, load, size));
      }
    }
    for (const server of servers) await end(load, server);
  }
  await load.stop();
  // The median of its slices for each process of a variant, set by set.
  const of = (variant) => measured.event[variant].map((values) => quantile(values, 0.5));
  const chain = MIDDLEWARES.map((count) => of(`packet middlewares ${count}`));
  const slopes = chain[0].map((_, set) =>
    slope(
      MIDDLEWARES,
      chain.map((values) => values[set]),
    ),
  );
  return { rows: rowsOf(of), middleware: range(slopes) };
}

/** One row for each variant; `of` gives its figures, set by set. */
function rowsOf(of) {
  return VARIANTS.map(({ kind, step }) => {
    const first = VARIANTS.find((each) => each.kind === kind);
    const values = of(`${kind} ${step}`);
    const row = {
      kind,
      step,
      event: range(values),
      toFirst: ratios(values, of(`${kind} ${first.step}`)),
    };
    return kind === 'connections' ? { ...row, toFloor: ratios(values, of(`${FLOOR} ${step}`)) } : row;
  });
}

function markdown({ rows, middleware }, machine, { sets, rounds }) {
  const cells = rows.map(({ kind, step, event, toFirst, toFloor }) => {
    return [kind, step, event.median.toFixed(1), ratio(toFirst), toFloor ? ratio(toFloor) : ''];
  });
  return `# CPU per answered event of egg-socket.io 5 on Egg 4, as the application grows

${machine}. Sets of processes: ${sets}, with ${rounds} rounds each. Of each process the median of its slices; of the sets the median, and in
brackets the lowest and the highest. 10 events under way in all.

${table(['', '', 'CPU per event, µs', 'ratio to the first', 'ratio to the floor'], cells)}

A packet middleware more costs ${ratio(middleware)} µs.
`;
}

module.exports = { measure, markdown };
