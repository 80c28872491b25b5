// How many instructions an event and a delivery take: `npm run bench:count`, or with `-- --only plugin4`. Valgrind counts them, which
// takes its time, and comes to the same whatever else the machine does.
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const Child = require('./measure/child.cjs');
const { start, rotated } = require('./measure/rounds.cjs');
const prepare = require('./prepare.cjs');
const { quantile, range } = require('./report/statistics.cjs');
const { table } = require('./report/tables.cjs');
const { choose, isNamed } = require('./servers/index.cjs');
const { FULL, count, needFiles } = require('./sizes.cjs');

const OUT = path.join(__dirname, 'build/count');
const { echo, churn, broadcast } = FULL;

/** As much of each kind of load as makes V8 compile most of what it will. */
const WARM = {
  echo: { ...echo, events: 15_000 },
  churn: { ...churn, count: 500 },
  broadcast: { ...broadcast, broadcasts: 200 },
};

/** What is counted: so much of one kind of load is a sample, and `of` what there is in it. */
const KINDS = [
  { name: 'event', ask: 'echo', size: { ...echo, events: 1500 }, of: 1500 },
  { name: 'delivery', ask: 'broadcast', size: { ...broadcast, broadcasts: 20 }, of: 20 * broadcast.members },
];

/** Of so many samples the lowest one is taken, in which the garbage collector and the compiler had the least part. */
const SAMPLES = 4;

// A core's second cache of 2 MB stands for the last one: what is not in there is dear.
const VALGRIND = 'valgrind --quiet --tool=callgrind --instr-atstart=no --smc-check=all-non-file --cache-sim=yes';
const CACHES = '--I1=32768,8,64 --D1=49152,12,64 --LL=2097152,16,64';

// The garbage collector comes when it comes, and so does V8 to make objects old from the beginning: both are left out. And all threads take
// turns under Valgrind: what the compiler has begun beside the main one would be long in coming.
const FLAGS = '--single-threaded --min-semi-space-size=64 --max-semi-space-size=64 --no-allocation-site-pretenuring';
process.env.BENCH_FLAGS = `${process.env.BENCH_FLAGS ?? ''} ${FLAGS}`.trim();

function control(pid, command) {
  execFileSync('callgrind_control', [command, String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 60_000,
  });
}

/** What callgrind has counted since it was last asked. */
function counted(pid, file) {
  control(pid, '--dump');
  const text = fs.readFileSync(file, 'utf8');
  const names = /^events: (.*)$/m.exec(text)[1].split(' ');
  const values = /^(?:summary|totals): (.*)$/m.exec(text)[1].split(' ').map(Number);
  const { Ir, ILmr, DLmr, DLmw } = Object.fromEntries(names.map((name, n) => [name, values[n] ?? 0]));
  if (!Ir) throw new Error(`callgrind has counted nothing: see ${file}`);
  return { instructions: Ir, misses: ILmr + DLmr + DLmw };
}

/** What one process takes per event and delivery. */
async function measure(server, load) {
  fs.rmSync(OUT, { recursive: true, force: true });
  fs.mkdirSync(OUT, { recursive: true });
  const under = `${VALGRIND} ${CACHES} --callgrind-out-file=${OUT}/dump`.split(' ');
  const { child, address } = await start(server, {}, under);
  const { pid } = child.process;
  const put = (kind, size) => load.ask(kind, { ...address, ...size });
  await put('open', { count: broadcast.members });
  for (const [kind, size] of Object.entries(WARM)) await put(kind, size);
  control(pid, '--instr=on');
  const result = {};
  let dumps = 0;
  for (const { name, ask, size, of } of KINDS) {
    const samples = [];
    // The first one is the lead.
    for (let n = 0; n <= SAMPLES; n++) {
      await put(ask, size);
      const sample = counted(pid, `${OUT}/dump.${++dumps}`);
      if (n) samples.push(sample);
    }
    const [{ instructions, misses }] = samples.sort((one, other) => one.instructions - other.instructions);
    result[`instructions per ${name}`] = instructions / of;
    result[`misses per ${name}`] = misses / of;
  }
  await put('close');
  await child.stop();
  return result;
}

async function main() {
  const { values } = parseArgs({ options: { only: { type: 'string' }, processes: { type: 'string', default: '3' } } });
  const { only } = values;
  const processes = count('--processes', values.processes);
  const names = (only ?? 'plugin').split(',');
  const servers = choose(names).filter(({ name, floor }) => floor && (name === floor || isNamed(name, names)));
  if (servers.length === 0) throw new Error('--only: there is no floor to compare that to');
  needFiles(broadcast.members);
  if (spawnSync('valgrind', ['--version']).error) throw new Error('this needs Valgrind: `apt-get install valgrind`');
  prepare();
  const load = await Child.start([path.join(__dirname, 'measure/load.cjs')], 1);
  const results = new Map(servers.map(({ name }) => [name, []]));
  for (let n = 0; n < processes; n++) {
    for (const server of rotated(servers, n)) {
      const result = await measure(server, load);
      process.stderr.write(`process ${n + 1} of ${processes}, ${server.name}: ${JSON.stringify(result, rounded)}\n`);
      results.get(server.name).push(result);
    }
  }
  await load.stop();
  const text = markdown(servers, results, processes);
  fs.mkdirSync(path.join(__dirname, 'results'), { recursive: true });
  fs.writeFileSync(path.join(__dirname, 'results', only ? 'quick-count.md' : 'count.md'), text);
  console.log(text);
}

const rounded = (_key, value) => (typeof value === 'number' ? Number(value.toFixed(1)) : value);

function markdown(servers, results, processes) {
  const keys = Object.keys(results.get(servers[0].name)[0]);
  const cells = ({ name, floor }, key) => {
    const of = (server) => results.get(server).map((each) => each[key]);
    const { median, low, high } = range(of(name));
    const [digits, ratio] = [key.startsWith('misses') ? 1 : 0, median / quantile(of(floor), 0.5)];
    return [`${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`, ratio.toFixed(2)];
  };
  const head = ['', ...keys.flatMap((key) => [key, 'to the floor'])];
  const rows = servers.map((server) => [server.title, ...keys.flatMap((key) => cells(server, key))]);
  return `# What an answered event and a broadcast delivery take

Node ${process.version}, ${os.arch()}, counted by Valgrind in ${processes} processes of each server: instructions outside of the kernel, and misses of a
cache of 2 MB. With ${broadcast.members} connections. Of each process the lowest of ${SAMPLES} samples; of the processes the median, and in brackets the lowest and
the highest. Flags: \`${FLAGS}\`.

${table(head, rows)}
`;
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
