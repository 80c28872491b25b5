// What a broadcast to another worker costs: `npm run bench:workers`, or with `-- --quick`. Links, Egg's messenger and Redis take
// turns in short slices of the same load, each in an Egg cluster of two workers of its own.
const { execFileSync, fork, spawn } = require('node:child_process');
const { readFileSync } = require('node:fs');
const { createServer } = require('node:net');
const path = require('node:path');
const { io: connect } = require('socket.io-client');

const quick = process.argv.includes('--quick');
const ROUNDS = quick ? 5 : 11;
const BURST = 20_000;
const BATCH = 50;
const SINGLES = quick ? 300 : 600;
const CARRIERS = ['links', 'messenger', 'redis'];
const TICK = 1e6 / Number(execFileSync('getconf', ['CLK_TCK']));

async function main() {
  const redisPort = await freePort();
  const redis = spawn('redis-server', ['--port', redisPort, '--save', '', '--appendonly', 'no'], { stdio: 'ignore' });
  const clusters = [];
  try {
    for (const carrier of CARRIERS) clusters.push(await start(carrier, redisPort, redis.pid));
    for (const cluster of clusters) await slice(cluster);
    for (const cluster of clusters) cluster.slices = [];
    for (let round = 1; round <= ROUNDS; round++) {
      for (const cluster of clusters) await slice(cluster);
      process.stderr.write(`\rround ${round} of ${ROUNDS}`);
    }
    process.stderr.write('\n');
    print(clusters);
  } finally {
    for (const { child, sockets } of clusters) {
      for (const socket of sockets) socket.close();
      child.kill('SIGTERM');
    }
    redis.kill();
  }
}

async function start(carrier, redisPort, redisPid) {
  const port = await freePort();
  const env = {
    ...process.env,
    CARRIER: carrier,
    REDIS_PORT: redisPort,
    EGG_SERVER_ENV: 'prod',
    NODE_ENV: 'production',
  };
  const child = fork(path.join(__dirname, 'master.cjs'), [port], {
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await new Promise((resolve, reject) => {
    child.on('message', (message) => message === 'ready' && resolve());
    child.once('exit', (code) => reject(new Error(`the cluster of ${carrier} has ended with ${code}`)));
  });
  // One connection to each worker.
  const sockets = new Map();
  while (sockets.size < 2) {
    const socket = connect(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
    const { pid, master } = await socket.emitWithAck('who');
    if (sockets.has(pid)) socket.close();
    else sockets.set(pid, Object.assign(socket, { master }));
  }
  const [[, from], [, to]] = sockets;
  // Whoever else works for a broadcast.
  const others = { links: [], messenger: [from.master], redis: [redisPid] }[carrier];
  return { carrier, child, sockets: [from, to], from, to, others, slices: [] };
}

async function slice(cluster) {
  const { from, to, others, slices } = cluster;
  const single = to.emitWithAck('listen', SINGLES);
  await from.emitWithAck('emit', { count: SINGLES, pause: 1 });
  const { latencies } = await single;
  const before = await cpu(cluster, others);
  const burst = to.emitWithAck('listen', BURST);
  const begin = await from.emitWithAck('emit', { count: BURST, batch: BATCH });
  const { end } = await burst;
  const spent = (await cpu(cluster, others)) - before;
  latencies.sort((a, b) => a - b);
  const at = (part) => latencies[Math.floor((latencies.length - 1) * part)];
  slices.push({ p50: at(0.5), p99: at(0.99), rate: (BURST / (end - begin)) * 1e6, cpu: spent / BURST });
}

/** CPU time in µs: of the two workers by themselves, of others as the operating system counts it. */
async function cpu({ from, to }, others) {
  const workers = await Promise.all([from.emitWithAck('cpu'), to.emitWithAck('cpu')]);
  const rest = others.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK;
  });
  return [...workers, ...rest].reduce((sum, each) => sum + each, 0);
}

function print(clusters) {
  const columns = { p50: 'latency p50, µs', p99: 'p99, µs', rate: 'broadcasts a second', cpu: 'CPU per broadcast, µs' };
  const redis = clusters.find(({ carrier }) => carrier === 'redis').slices;
  console.log(`| carrier | ${Object.values(columns).join(' | ')} |`);
  console.log('|---|---|---|---|---|');
  for (const { carrier, slices } of clusters) {
    const cells = Object.keys(columns).map((key) => {
      const value = median(slices.map((each) => each[key]));
      const ratio = median(slices.map((each, i) => each[key] / redis[i][key]));
      return `${value.toFixed(value < 100 ? 1 : 0)} (${ratio.toFixed(2)})`;
    });
    console.log(`| ${carrier} | ${cells.join(' | ')} |`);
  }
  console.log('\nMedians; in brackets the ratio to Redis in the same round.');
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

main().catch((err) => {
  console.error(err);
  process.exitCode = 1;
});
