// The load generator, a process of its own: opens clients of the servers and sends what it is asked to. Started by run.cjs.
const { Client, idOf } = require('./client.cjs');

const PAYLOAD = JSON.stringify({ text: 'x'.repeat(60), n: 12_345, list: [1, 2, 3] });
const groups = new Map();
const now = () => Number(process.hrtime.bigint()) / 1000;

/** Keeps the process awake while `work` runs: one that falls asleep makes it dearer for the server to write to it. */
async function awake(work) {
  let running = true;
  const spin = () => running && setImmediate(spin);
  spin();
  try {
    return await work();
  } finally {
    running = false;
  }
}

/** Calls `each` so many times, `width` at a time. */
async function parallel(count, width, each) {
  let next = 0;
  const worker = async () => {
    while (next < count) await each(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

const questions = {
  /** Opens clients and keeps them under the name of their server; `namespaces` shares them out. */
  async open({ name, count, namespaces = [''], ...server }) {
    const clients = groups.get(name) ?? [];
    groups.set(name, clients);
    await parallel(count, 20, async (n) => {
      clients.push(await Client.open({ ...server, namespace: namespaces[n % namespaces.length] }));
    });
  },

  async close({ name }) {
    const clients = groups.get(name);
    groups.delete(name);
    await parallel(clients.length, 20, (n) => clients[n].close());
  },

  /** Answered events, `window` of them under way, one client after the other. µs in all. */
  echo({ name, events, window, members }) {
    const clients = groups.get(name).slice(0, members);
    return new Promise((resolve) => {
      const begin = now();
      let sent = 0;
      let answered = 0;
      const send = () => clients[sent++ % clients.length].ask('echo', PAYLOAD);
      const onAnswer = () => {
        if (sent < events) send();
        if (++answered === events) resolve(now() - begin);
      };
      for (const client of clients) client.onAnswer = onAnswer;
      while (sent < Math.min(window, events)) send();
    });
  },

  /** Answered events at a steady rate (a second), whatever the server does: p50s and p99s in µs, from when each was due. */
  pace({ name, events, rate, members }) {
    const clients = groups.get(name).slice(0, members);
    return new Promise((resolve) => {
      const begin = now() + 1000;
      const due = new Map();
      const took = [];
      const onAnswer = (client, data) => {
        const key = idOf(data) * clients.length + client.number;
        took.push(now() - due.get(key));
        due.delete(key);
        if (took.length === events) resolve(percentiles(took));
      };
      for (const [number, client] of clients.entries()) Object.assign(client, { number, onAnswer });
      let sent = 0;
      const tick = () => {
        const at = now();
        for (; sent < events; sent++) {
          const when = begin + (sent * 1e6) / rate;
          if (when > at) break;
          const client = clients[sent % clients.length];
          due.set(client.ask('echo', PAYLOAD) * clients.length + client.number, when);
        }
        if (sent < events) setImmediate(tick);
      };
      tick();
    });
  },

  /** Clients that come and go, `width` at a time. µs in all. */
  async churn({ count, width, ...server }) {
    const begin = now();
    await parallel(count, width, async () => {
      const client = await Client.open(server);
      await client.close();
    });
    return now() - begin;
  },

  /** One client emits `news`, which all members of the room hear; `window` broadcasts under way. µs in all. */
  broadcast({ name, broadcasts, window }) {
    const clients = groups.get(name);
    const deliveries = broadcasts * clients.length;
    return new Promise((resolve) => {
      const begin = now();
      let sent = 0;
      let heard = 0;
      const send = () => {
        sent++;
        clients[0].emit('news', PAYLOAD);
      };
      const onEvent = () => {
        heard++;
        if (heard % clients.length === 0 && sent < broadcasts) send();
        if (heard === deliveries) resolve(now() - begin);
      };
      for (const client of clients) client.onEvent = onEvent;
      while (sent < window) send();
    });
  },

  /** Fails unless an event is answered with what was sent. */
  async check({ name }) {
    const [client] = groups.get(name);
    const answer = await new Promise((resolve) => {
      client.onAnswer = (_client, data) => resolve(String(data));
      client.ask('echo', PAYLOAD);
    });
    if (!answer.endsWith(`[${PAYLOAD}]`)) throw new Error(`answered with ${answer}`);
  },

  exit: () => process.exit(),
};

/** Of each part of so many events: what else the machine does hits some of them only. */
function percentiles(took, part = 500) {
  const parts = Array.from({ length: took.length / part }, (_, n) => took.slice(n * part, (n + 1) * part));
  for (const values of parts) values.sort((a, b) => a - b);
  const at = (place) => parts.map((values) => values[Math.floor((part - 1) * place)]);
  return { p50: at(0.5), p99: at(0.99) };
}

process.on('message', async ({ ask, options }) => {
  try {
    process.send({ answer: await awake(() => questions[ask](options)) });
  } catch (err) {
    process.send({ error: err.stack });
  }
});
process.on('disconnect', () => process.exit());
process.send({ answer: process.pid });
