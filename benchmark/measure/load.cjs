// The load generator, a process of its own: connects clients to the servers and sends events.
const { Client, idOf } = require('./client.cjs');

const PAYLOAD = JSON.stringify({ text: 'x'.repeat(60), n: 12_345, list: [1, 2, 3] });

/** The open clients, by the name of their group. */
const groups = new Map();

/** A clock in µs. */
const now = () => Number(process.hrtime.bigint()) / 1000;

/** Prevents the process from sleeping during `work`: writing to a process that sleeps costs the server more. */
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

/** Calls `task` `count` times, `width` at a time. */
async function parallel(count, width, task) {
  let next = 0;
  const worker = async () => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

const commands = {
  /** Connects clients and adds them to a group. */
  async open({ name, count, ...address }) {
    const clients = groups.get(name) ?? [];
    groups.set(name, clients);
    await parallel(count, 20, async () => clients.push(await Client.open(address)));
  },

  async close({ name }) {
    const clients = groups.get(name);
    groups.delete(name);
    await parallel(clients.length, 20, (n) => clients[n].close());
  },

  /** Sends events, each client in turn, with `window` of them unacknowledged. */
  echo({ name, events, window, senders }) {
    const clients = groups.get(name).slice(0, senders);
    return new Promise((resolve) => {
      let sent = 0;
      let acknowledged = 0;
      const send = () => clients[sent++ % clients.length].emitWithAck('echo', PAYLOAD);
      const onAck = () => {
        if (sent < events) send();
        if (++acknowledged === events) resolve();
      };
      for (const client of clients) client.onAck = onAck;
      while (sent < Math.min(window, events)) send();
    });
  },

  /** Sends `rate` events a second. Returns percentiles of the latency in µs, from the time at which an event was due. */
  pace({ name, events, rate, senders }) {
    const clients = groups.get(name).slice(0, senders);
    return new Promise((resolve) => {
      const begin = now() + 1000;
      const due = new Map();
      const latencies = [];
      const onAck = (client, data) => {
        const key = idOf(data) * clients.length + client.number;
        latencies.push(now() - due.get(key));
        due.delete(key);
        if (latencies.length === events) resolve(p99(latencies));
      };
      for (const [number, client] of clients.entries()) Object.assign(client, { number, onAck });
      let sent = 0;
      const tick = () => {
        const at = now();
        for (; sent < events; sent++) {
          const when = begin + (sent * 1e6) / rate;
          if (when > at) break;
          const client = clients[sent % clients.length];
          due.set(client.emitWithAck('echo', PAYLOAD) * clients.length + client.number, when);
        }
        if (sent < events) setImmediate(tick);
      };
      tick();
    });
  },

  /** Connects and disconnects `count` clients, `width` at a time. */
  churn({ count, width, ...address }) {
    return parallel(count, width, async () => {
      const client = await Client.open(address);
      await client.close();
    });
  },

  /** One client emits `news`, which the server broadcasts to all. `window` broadcasts are in flight. */
  broadcast({ name, broadcasts, window }) {
    const clients = groups.get(name);
    const deliveries = broadcasts * clients.length;
    return new Promise((resolve) => {
      let sent = 0;
      let delivered = 0;
      const send = () => {
        sent++;
        clients[0].emit('news', PAYLOAD);
      };
      const onEvent = () => {
        delivered++;
        if (delivered % clients.length === 0 && sent < broadcasts) send();
        if (delivered === deliveries) resolve();
      };
      for (const client of clients) client.onEvent = onEvent;
      while (sent < window) send();
    });
  },

  /** Fails unless an event is acknowledged with its own data. */
  async check({ name }) {
    const [client] = groups.get(name);
    const ack = await new Promise((resolve, reject) => {
      client.onAck = (_client, data) => resolve(String(data));
      client.onEvent = () => reject(new Error('the event was answered with another event'));
      client.emitWithAck('echo', PAYLOAD);
    });
    if (!ack.endsWith(`[${PAYLOAD}]`)) throw new Error(`unexpected acknowledgement: ${ack}`);
  },

  exit: () => process.exit(),
};

/** The 99th percentile of each 500 values: a pause of the machine affects some of them only. */
function p99(values, size = 500) {
  const parts = Array.from({ length: values.length / size }, (_, n) => values.slice(n * size, (n + 1) * size));
  return parts.map((part) => part.sort((a, b) => a - b)[Math.floor((size - 1) * 0.99)]);
}

process.on('message', async ({ command, options }) => {
  try {
    process.send({ result: await awake(() => commands[command](options)) });
  } catch (err) {
    process.send({ error: err.stack });
  }
});
process.on('disconnect', () => process.exit());
process.send({});
