// Presence under an adapter of the application, with two hosts in one process, and clients that do everything in any order.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Context } from 'egg';
import { ClusterAdapter, type ClusterMessage, type ClusterResponse } from 'socket.io-adapter';
import type { Socket } from 'socket.io-client';
import { Presence } from '../lib/presence/client';
import { EGG_MAJOR, type Running } from './support/app';
import { startInline } from './support/inline';
import { until } from './support/wait';

/** Longer than a test. */
const NEVER = 600_000;
const TOPICS = ['lobby', 'hall'];

/** What the hosts publish to each other. It loses messages if it is told so. */
class Bus extends EventEmitter {
  loses = false;
}

/** Returns the adapter of one host. */
function adapterOf(bus: Bus) {
  return class extends ClusterAdapter {
    readonly #listener = (text: string) => this.onMessage(JSON.parse(text));
    readonly #response = (to: string, text: string) => to === this.uid && this.onResponse(JSON.parse(text));

    constructor(nsp: any) {
      super(nsp);
      bus.on(nsp.name, this.#listener);
      bus.on(`${nsp.name} response`, this.#response);
    }

    protected override async doPublish(message: ClusterMessage): Promise<string> {
      const text = JSON.stringify(message);
      if (!bus.loses) setImmediate(() => bus.emit(this.nsp.name, text));
      return '';
    }

    protected override async doPublishResponse(to: string, response: ClusterResponse): Promise<void> {
      const text = JSON.stringify(response);
      setImmediate(() => bus.emit(`${this.nsp.name} response`, to, text));
    }

    override async serverCount(): Promise<number> {
      return bus.listenerCount(this.nsp.name);
    }

    override close(): void {
      bus.off(this.nsp.name, this.#listener);
      bus.off(`${this.nsp.name} response`, this.#response);
    }
  };
}

/** Numbers from 0 to 1 that depend on the seed alone. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const sorted = (list: Record<string, object[]>) =>
  JSON.stringify(
    Object.entries(list)
      .map(([key, metas]) => [key, metas.map((meta) => JSON.stringify(meta)).sort()])
      .sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)),
  );

describe("presence under an application's own adapter", () => {
  let bus: Bus;

  beforeEach(() => {
    bus = new Bus().setMaxListeners(0);
  });

  const startHost = (heartbeat = NEVER): Promise<Running> =>
    startInline({
      io: {
        adapter: () => adapterOf(bus),
        presence: { interval: 5, heartbeat },
        init: { pingInterval: 2000, pingTimeout: 4000 },
      },
      middleware: {},
      router: ({ io }) => {
        const route = (event: string, handler: (ctx: Context, topic: string, n: number) => unknown) =>
          io.route(event, async (ctx) => {
            await handler(ctx, ctx.args[0], ctx.args[1]);
            ctx.args.at(-1)();
          });
        route('track', (ctx, topic, n) => io.presence(topic).track(ctx, n % 2 ? `key ${n % 3}` : null, { n }));
        route('update', (ctx, topic, n) => io.presence(topic).update(ctx, { n }));
        route('untrack', (ctx, topic) => io.presence(topic).untrack(ctx));
      },
    });

  const enter = async (host: Running, n: number) => {
    const client = await host.connect();
    await client.emitWithAck('track', 'lobby', n);
    return client;
  };

  const agree = (hosts: Running[], count: number) =>
    until(`all list ${count}`, async () => {
      const lists = await Promise.all(hosts.map(async ({ app }) => sorted(await app.io.presence('lobby').list())));
      return new Set(lists).size === 1 && hosts[0]?.app.io.presence('lobby').count() === count;
    });

  it('should exchange states when a host starts, changes afterwards, and remove a host that ends', async () => {
    const a = await startHost();
    await enter(a, 1);
    const b = await startHost();
    assert.deepEqual(await b.app.io.presence('lobby').list(), { 'key 1': [{ n: 1 }] });
    const bob = await enter(b, 5);
    await agree([a, b], 2);
    bob.disconnect();
    await agree([a, b], 1);
    await enter(b, 5);
    await agree([a, b], 2);
    await b.close();
    await agree([a], 1);
  });

  it('should notice by the next heartbeat that messages were lost', async () => {
    const [a, b] = [await startHost(200), await startHost(200)];
    await enter(a, 1);
    await agree([a, b], 1);
    bus.loses = true;
    await enter(b, 5);
    // The heartbeats are lost as well.
    await until(
      'it is silent',
      () => a.app.io.presence('lobby').count() === 1 && b.app.io.presence('lobby').count() === 1,
    );
    bus.loses = false;
    await agree([a, b], 2);
  });

  it('should give each client the list of the server, whatever the clients do', async () => {
    const hosts = [await startHost(), await startHost()];
    const seed = Number(process.env.PRESENCE_SEED ?? EGG_MAJOR);
    const random = randomOf(seed);
    const pick = <T>(all: T[]): T => all[Math.floor(random() * all.length)] as T;

    interface Member {
      socket: Socket;
      here: Presence[];
      /** The topics in which its connection is tracked. */
      topics: Set<string>;
    }
    const join = (): Member => {
      const transports = pick([['websocket'], ['polling'], ['polling', 'websocket']]);
      const socket = pick(hosts).client('/', { transports, reconnection: true, reconnectionDelay: 1 });
      const member: Member = { socket, here: TOPICS.map((topic) => new Presence(socket, topic)), topics: new Set() };
      socket.on('disconnect', () => member.topics.clear());
      return member;
    };
    const members = Array.from({ length: 8 }, join);

    /** Does one thing to a member, without waiting for it each time. */
    async function act(member: Member, n: number): Promise<void> {
      const { socket } = member;
      const topic = pick(TOPICS);
      const what = pick(['track', 'track', 'track', 'update', 'update', 'untrack', 'drop', 'leave', 'kick']);
      if (!socket.connected) {
        if (!socket.active) socket.connect();
      } else if (what === 'drop') socket.io.engine.close();
      else if (what === 'leave') socket.disconnect();
      else if (what === 'kick')
        for (const { app } of hosts)
          app.io
            .of('/')
            .sockets.get(socket.id ?? '')
            ?.disconnect(true);
      else {
        // What is sent before the connection is lost may have an effect or none: the new connection is another client.
        const { id } = socket;
        const done = socket.timeout(5000).emitWithAck(what, topic, n);
        if (random() < 0.5) await done.catch(() => {});
        else done.catch(() => {});
        if (socket.id !== id) return;
        if (what === 'track') member.topics.add(topic);
        else if (what === 'untrack') member.topics.delete(topic);
      }
    }

    for (let n = 0; n < 250; n++) {
      await act(pick(members), n);
      if (random() < 0.3) await new Promise((resolve) => setTimeout(resolve, random() * 8));
    }

    await until('the servers have the connections of the clients, and no others', () => {
      for (const { socket } of members) if (!socket.active) socket.connect();
      // A client that is upgrading closes its connection after that.
      if (members.some(({ socket }) => socket.io.engine.readyState !== 'open')) return false;
      const ids = hosts.flatMap(({ app }) => [...app.io.of('/').sockets.keys()]);
      return String(ids.sort()) === String(members.map(({ socket }) => socket.id).sort());
    });
    for (const [i, { socket, topics }] of members.entries()) {
      for (const topic of topics) await socket.emitWithAck('update', topic, 1000 + i);
    }
    for (const [t, topic] of TOPICS.entries()) {
      let lists: string[] = [];
      const isSame = async () => {
        lists = await Promise.all(hosts.map(async ({ app }) => sorted(await app.io.presence(topic).list())));
        for (const { here, topics } of members) if (topics.has(topic)) lists.push(sorted((here[t] as Presence).list()));
        return new Set(lists).size === 1;
      };
      await until(`all have the same list of ${topic}`, isSame).catch(() =>
        assert.fail(`PRESENCE_SEED=${seed}, ${topic}:\n${lists.join('\n')}`),
      );
      const tracked = members.filter(({ topics }) => topics.has(topic)).length;
      const listed = Object.values(await (hosts[0] as Running).app.io.presence(topic).list()).flat().length;
      assert.equal(listed, tracked, `PRESENCE_SEED=${seed}, ${topic}`);
    }
  });
});
