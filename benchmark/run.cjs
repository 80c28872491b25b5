// What an answered event costs the server, as a ratio to bare Socket.IO: `npm run bench`, or `npm run bench -- --quick`.
// The servers take turns in short slices of the same load, so that what else the machine does hits all of them alike;
// CPU time is what the operating system charges the server's process.
const { fork } = require('node:child_process');
const path = require('node:path');
const { WebSocket } = require('ws');

const quick = process.argv.includes('--quick');
const ROUNDS = quick ? 5 : 15;
const EVENTS = quick ? 10_000 : 30_000;
const CONNECTIONS = 50;
const PAYLOAD = JSON.stringify({ text: 'x'.repeat(60), n: 12_345, list: [1, 2, 3] });

const SERVERS = {
  'bare socket.io': ['server.cjs', 'bare'],
  'floor: by hand in Egg 3': ['server.cjs', 'floor', '3'],
  'egg-socket.io on Egg 3': ['server.cjs', 'plugin', '3'],
  'floor: by hand in Egg 4': ['server.cjs', 'floor', '4'],
  'egg-socket.io on Egg 4': ['server.cjs', 'plugin', '4'],
};

async function main() {
  const servers = [];
  for (const [name, args] of Object.entries(SERVERS)) servers.push({ name, slices: [], ...(await startServer(args)) });
  for (const server of servers) await slice(server, EVENTS / 2);
  for (let round = 1; round <= ROUNDS; round++) {
    for (const server of servers) server.slices.push(await slice(server, EVENTS));
    process.stderr.write(`\rround ${round} of ${ROUNDS}`);
  }
  process.stderr.write('\n');
  const [bare] = servers;
  console.log('| server | CPU per answered event, ratio to bare | spread |');
  console.log('|---|---|---|');
  for (const server of servers) {
    const ratios = server.slices.map((cpu, i) => cpu / bare.slices[i]).sort((a, b) => a - b);
    const at = (part) => ratios[Math.floor((ratios.length - 1) * part)].toFixed(2);
    console.log(`| ${server.name} | ${at(0.5)} | ${at(0.25)}–${at(0.75)} |`);
  }
  for (const server of servers) server.child.kill();
}

async function startServer([file, kind, major = '']) {
  const env = { ...process.env, EGG_MAJOR: major, NODE_ENV: 'production', EGG_SERVER_ENV: 'prod' };
  const child = fork(path.join(__dirname, file), [kind], { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  child.once('exit', (code) => {
    if (code) throw new Error(`the server ${kind} ${major} has ended with ${code}`);
  });
  const port = await new Promise((resolve) => child.once('message', resolve));
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => connect(port)));
  return { child, clients };
}

/** A client that speaks the protocol itself: it must cost less than the servers. */
function connect(port) {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: false });
  return new Promise((resolve, reject) => {
    const client = { ws, answered: () => {} };
    ws.on('error', reject);
    ws.on('message', (data) => {
      const text = data.toString();
      if (text.startsWith('43')) client.answered(text);
      else if (text.startsWith('40')) resolve(client);
      else if (text.startsWith('0')) ws.send('40');
      else if (text === '2') ws.send('3');
      else reject(new Error(`unexpected: ${text}`));
    });
  });
}

/** The server's CPU time, in µs, for so many answered events, one under way on each connection. */
async function slice({ child, clients }, events) {
  const before = await cpu(child);
  const each = Math.floor(events / clients.length);
  await Promise.all(
    clients.map(
      (client) =>
        new Promise((resolve) => {
          let left = each;
          const send = () => client.ws.send(`420["echo",${PAYLOAD}]`);
          client.answered = () => (--left > 0 ? send() : resolve());
          send();
        }),
    ),
  );
  return (await cpu(child)) - before;
}

function cpu(child) {
  const answer = new Promise((resolve) => child.once('message', resolve));
  child.send('cpu');
  return answer;
}

main();
