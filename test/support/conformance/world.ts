// The workers of one adapter, each with the same clients in all namespaces.
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { io, type Socket } from 'socket.io-client';
import * as parser from 'socket.io-parser';
import type { AdapterName } from '../../../lib/config/config';
import { connected } from '../app';
import { type Cluster, startCluster } from '../cluster';
import { type RedisServer, startRedis } from '../redis';
import { next, until } from '../wait';
import { type Chain, Client, type Doer, doerIn, KINDS, type Kind, LAST_WORD, userOf } from './client';

/** The default namespace, a named one, a child of a regular expression, and a child of a namespace with parameters. */
export const NAMESPACES = ['/', '/chat', '/child-everywhere', '/kid/everywhere'];
/** Other names of the rooms a and b: a number, and a string with special characters of Redis patterns. */
export const ODD_ROOMS = { a: 42, b: 'b #*[☕]?\\' };

export interface WorldOptions {
  workers: number;
  /** `config.io.adapter`. By default it depends on the number of workers and on Redis. */
  adapter?: AdapterName;
  /** Whether `config.io.redis` is set. */
  redis?: boolean;
  /** What the adapter does not support, each with the reason. */
  unable?: Unable;
}

/** Possible exceptions. The value is the reason. */
export interface Unable {
  /** Requests with acknowledgement arrive in order with broadcasts. */
  askOrder?: string;
  /** Binary data in messages between workers, other than events for clients. */
  binaryAnswers?: string;
  /** serverSideEmit. */
  tellOthers?: string;
  /** Payloads that other workers receive changed, by name. */
  payloads?: Record<string, string>;
}

/** By default, socket.io-client accepts at most ten attachments. */
class Decoder extends parser.Decoder {
  constructor() {
    super({ maxAttachments: 100 });
  }
}

/** Starts an application, and connects clients to each worker. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const world = new World(options);
  try {
    await world.start();
  } catch (err) {
    await world.close();
    throw err;
  }
  return world;
}

export class World {
  /** The permanent clients, which stay connected during all tests. */
  readonly clients: Client[] = [];
  readonly pids: number[] = [];
  #cluster: Cluster | undefined;
  #redis: RedisServer | undefined;
  #home = '';
  /** The sockets of each connection. The first is that of `/`. */
  readonly #connections = new Set<Socket[]>();
  #count = 0;
  #dialled = 0;

  constructor(readonly options: WorldOptions) {}

  async start(): Promise<void> {
    const { workers, adapter = '', redis } = this.options;
    if (redis) this.#redis = await startRedis();
    this.#home = await mkdtemp(path.join(tmpdir(), 'egg-socket.io-conformance-'));
    this.#cluster = await startCluster(
      'conformance',
      { workers },
      { IO_ADAPTER: adapter, REDIS_PORT: this.#redis ? `${this.#redis.port}` : '', EGG_HOME: this.#home },
    );
    this.clients.push(...(await this.connect(KINDS)));
    for (const client of this.clients) {
      for (const kind of ['a', 'b'] as const) {
        if (client.is(kind)) await client.ask('socket', ['join', [kind, ODD_ROOMS[kind]]]);
      }
    }
  }

  /** Returns the permanent clients of a namespace. */
  in(nsp: string): Client[] {
    return this.clients.filter((client) => client.nsp === nsp);
  }

  /** Returns one client of each worker in a namespace. */
  each(nsp: string): Client[] {
    return this.in(nsp).filter(({ kind }) => kind === 'a');
  }

  /** Returns one client in a namespace. */
  one(nsp = '/'): Client {
    return this.each(nsp)[0] as Client;
  }

  /**
   * Opens a connection to each worker for each of the kinds, with a client in each namespace.
   *
   * @param namespaces - returns the namespaces for the connections of a worker; default: all
   */
  async connect(
    kinds: readonly Kind[],
    namespaces: (worker: number) => string[] = () => NAMESPACES,
  ): Promise<Client[]> {
    const clients: Client[] = [];
    const wanted = Array.from({ length: this.options.workers }, () => [...kinds]);
    while (wanted.flat().length > 0) {
      assert(this.#connections.size < 200, 'there are connections to all workers');
      const { sockets, worker, label, user } = await this.#dial();
      const [socket] = sockets as [Socket];
      const kind = wanted[worker]?.shift();
      if (kind === undefined) await this.#hangUp(sockets);
      else {
        for (const nsp of namespaces(worker)) {
          if (nsp !== '/') sockets.push(await connected(socket.io.socket(nsp, { auth: { label, user } })));
          clients.push(new Client(sockets.at(-1) as Socket, nsp, label, worker, kind, user));
        }
      }
    }
    return clients;
  }

  async #dial(): Promise<{ sockets: Socket[]; worker: number; label: string; user: string | undefined }> {
    const user = userOf(this.#dialled++);
    const label = `client ${this.#count++}`;
    const socket = io(this.#cluster?.url ?? '', {
      forceNew: true,
      reconnection: false,
      transports: ['websocket'],
      auth: { label, user },
      query: { from: 'conformance' },
      parser: { ...parser, Decoder },
    });
    const sockets = [socket];
    this.#connections.add(sockets);
    await connected(socket);
    const pid = await socket.emitWithAck('pid');
    if (!this.pids.includes(pid)) this.pids.push(pid);
    return { sockets, label, user, worker: this.pids.indexOf(pid) };
  }

  /** Makes the worker close the connection, so that the worker has no such sockets when the client is disconnected. */
  async #hangUp(sockets: Socket[]): Promise<void> {
    this.#connections.delete(sockets);
    const socket = sockets.find(({ connected }) => connected);
    if (socket === undefined) return;
    const gone = next(socket, 'disconnect');
    socket.emit('do', [['socket', ['disconnect', true]]], () => {});
    await gone;
  }

  /** Closes the connections of other clients, and clears the events that the permanent clients have received. */
  async tidy(): Promise<void> {
    const lasting = new Set(this.clients.map(({ socket }) => socket));
    const others = Array.from(this.#connections).filter(([socket]) => !lasting.has(socket as Socket));
    await Promise.all(others.map((sockets) => this.#hangUp(sockets)));
    for (const { heard } of this.clients) heard.length = 0;
  }

  /**
   * Emits a last event in all namespaces, waits until all clients have it, and compares the events they received before.
   *
   * @param expected - returns the expected events of a client
   * @param more - clients in addition to the permanent ones
   */
  async heard(doer: Doer, expected: (client: Client) => unknown[][], more: Client[] = []): Promise<void> {
    const clients = [...this.clients, ...more.filter(({ socket }) => socket.connected)];
    await this.lastWord(doer, clients);
    const actual: Record<string, unknown> = {};
    const wanted: Record<string, unknown> = {};
    for (const client of clients) {
      const heard = client.heard.splice(0);
      // Only the differences are reported.
      if (isDeepStrictEqual(heard, expected(client))) continue;
      actual[client.name] = heard;
      wanted[client.name] = expected(client);
    }
    assert.deepEqual(actual, wanted);
  }

  /** Emits a last event in all namespaces, and waits until all clients have received it. */
  async lastWord(doer: Doer, clients = this.clients): Promise<void> {
    const word = this.#count++;
    const has = ({ words }: Client) => words.has(word);
    const names = new Set(clients.map(({ nsp }) => nsp));
    const chains = Array.from(names, (nsp): Chain => ['io', ['of', nsp], ['emit', LAST_WORD, word]]);
    await doer.elsewhere('/').perform(chains);
    await until('all clients have received the last event', () => clients.every(has)).catch((err) => {
      const deaf = clients.filter((client) => !has(client)).map(({ name, heard }) => `${name}: ${heard.length} events`);
      throw new Error(`${err.message}. Not received by:\n${deaf.join('\n')}`);
    });
  }

  /** Returns, by worker, the namespace and the arguments of each serverSideEmit('note', …) since the last call. */
  async notes(): Promise<unknown[][][]> {
    return Promise.all(this.each('/').map(({ socket }) => socket.emitWithAck('notes')));
  }

  /** Returns the agent. It sends no outcomes back. */
  agent(nsp: string): Doer {
    return doerIn(nsp, async (chains) => {
      await this.one().socket.emitWithAck('agent', 'do', chains);
      return [];
    });
  }

  /** @throws if an error was logged */
  async close(): Promise<void> {
    for (const [socket] of this.#connections) socket?.io.engine?.close();
    await this.#cluster?.close();
    await this.#redis?.stop();
    if (this.#home === '') return;
    const log = this.#cluster && readFileSync(path.join(this.#home, 'logs/conformance/common-error.log'), 'utf8');
    rmSync(this.#home, { recursive: true, force: true });
    assert.equal(log ?? '', '');
  }
}
