// `npm run bench -- --links`: broadcasts a second from one worker to another, over links and over Redis on the same host.
const { fork, spawn } = require('node:child_process');
const { once } = require('node:events');
const { createServer } = require('node:net');
const path = require('node:path');
const { io: connect } = require('socket.io-client');
const { median } = require('./report/statistics.cjs');

const ROUNDS = 11;
const BROADCASTS = 20_000;
/** How many broadcasts a worker emits in one turn of its event loop. */
const BATCH = 50;

/** Measures both in turns, so that other load affects both alike, and prints the medians. */
async function measureLinks() {
  const redisPort = await freePort();
  const redis = spawn('redis-server', ['--port', redisPort, '--save', '', '--appendonly', 'no'], { stdio: 'ignore' });
  const clusters = [];
  try {
    const links = await cluster(clusters, 'links', 2, {});
    const overRedis = await cluster(clusters, 'links', 2, { REDIS_PORT: redisPort });
    const rounds = [];
    // The first round compiles the code.
    for (let n = 0; n <= ROUNDS; n++) rounds.push([await rate(links), await rate(overRedis)]);
    rounds.shift();
    const [one, other] = [0, 1].map((i) => Math.round(median(rounds.map((rates) => rates[i]))));
    const ratios = rounds.map(([first, second]) => first / second);
    const range = `${Math.min(...ratios).toFixed(1)}–${Math.max(...ratios).toFixed(1)}`;
    console.log(
      `broadcasts a second: ${one} over links, ${other} over Redis; ratio ${median(ratios).toFixed(1)} (${range})`,
    );
  } finally {
    end(clusters);
    redis.kill();
  }
}

function end(clusters) {
  for (const { master, clients } of clusters) {
    for (const client of clients) client.close();
    master.kill();
  }
}

/** Starts an Egg cluster, and connects a client to each of its workers. `connect` returns another client. */
async function cluster(clusters, application, workers, env) {
  const port = await freePort();
  const master = fork(path.join(__dirname, 'servers/egg-cluster.cjs'), [application, port, workers], {
    env: {
      ...process.env,
      ...env,
      EGG_SERVER_ENV: 'prod',
      NODE_ENV: 'production',
      EGG_HOME: path.join(__dirname, 'build/home'),
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const connectOne = async () => {
    const client = connect(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
    await once(client, 'connect');
    return client;
  };
  const started = { master, clients: [], connect: connectOne };
  clusters.push(started);
  await once(master, 'message');
  const pids = new Set();
  while (pids.size < workers) {
    const client = await connectOne();
    started.clients.push(client);
    pids.add(await client.emitWithAck('pid'));
    if (pids.size < started.clients.length) started.clients.pop().close();
  }
  return started;
}

/** Returns how many broadcasts a second one worker receives from the other. */
async function rate({ clients: [from, to] }) {
  const received = to.emitWithAck('receive', BROADCASTS);
  // The receiver is ready.
  await to.emitWithAck('pid');
  const begin = performance.now();
  from.emit('broadcast', BROADCASTS, BATCH);
  await received;
  return (BROADCASTS / (performance.now() - begin)) * 1000;
}

async function freePort() {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

module.exports = { measureLinks, cluster, end };
