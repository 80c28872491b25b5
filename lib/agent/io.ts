// agent.io: emits from the agent, and asks who is present. The agent has no clients: it sends each command to one worker, which executes it as if its own code
// had called it.
import { debuglog } from 'node:util';
import type { Agent } from 'egg';
import { Namespace, Server } from 'socket.io';
import { Adapter, type BroadcastOptions } from 'socket.io-adapter';
import { isCluster } from '../config/topology';
import { broadcasts, publishBroadcast } from '../diagnostics';
import { withCarrier } from '../internals/adapters';
import { workerIdsOf } from '../internals/egg';
import { isPattern } from '../namespaces/path-pattern';
import type { UserId } from '../types/namespace';
import type { AgentPresence } from '../types/presence';
import type { Users } from '../users';
import type { AgentPresences } from './presence';
import { ACTION, type Command, encodeCommand, LEAVING } from './relay';

const debug = debuglog('egg-socket.io:agent');

/** A namespace in the agent: its methods emit to the clients of all workers. */
export type AgentNamespace = Pick<
  Namespace,
  | 'name'
  | 'emit'
  | 'send'
  | 'write'
  | 'to'
  | 'in'
  | 'except'
  | 'volatile'
  | 'compress'
  | 'socketsJoin'
  | 'socketsLeave'
  | 'disconnectSockets'
  | 'serverSideEmit'
> & {
  /** Selects all sockets of a user in this namespace; see `app.io.of(name).user`. */
  user(id: UserId): ReturnType<Namespace['in']>;
  /** Asks one worker who is present in a topic of this namespace; see `app.io.of(name).presence`. */
  presence(topic?: string): AgentPresence;
};

/** Sends a command to one worker. Commands arrive in the order in which they are sent. */
export type Send = (command: string) => void;

type Packet = Parameters<Adapter['broadcast']>[0];

const NO_ANSWERS =
  '[egg-socket.io] agent.io only emits and receives no answers: use agent.messenger to ask a worker for';

/** An adapter that sends each call to a worker. */
class RelayAdapter extends Adapter {
  constructor(
    nsp: Namespace,
    private readonly relay: Send,
  ) {
    super(nsp);
  }

  override broadcast(packet: Packet, opts: BroadcastOptions): void {
    this.#assertRemote(opts);
    const { name } = this.nsp;
    const carrier = broadcasts.hasSubscribers
      ? publishBroadcast(undefined, name, packet.data[0], opts, false)
      : undefined;
    this.#send({ op: 'broadcast', args: [packet] }, withCarrier(opts, carrier));
  }

  override addSockets(opts: BroadcastOptions, rooms: string[]): void {
    this.#send({ op: 'addSockets', args: [rooms] }, opts);
  }

  override delSockets(opts: BroadcastOptions, rooms: string[]): void {
    this.#send({ op: 'delSockets', args: [rooms] }, opts);
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    this.#send({ op: 'disconnectSockets', args: [close] }, opts);
  }

  override serverSideEmit(packet: unknown[]): void {
    if (typeof packet.at(-1) === 'function') throw new Error(`${NO_ANSWERS} the answers of serverSideEmit`);
    this.#send({ op: 'serverSideEmit', args: [packet] });
  }

  override broadcastWithAck(): void {
    throw new Error(`${NO_ANSWERS} acknowledgements`);
  }

  override fetchSockets(): Promise<never> {
    return Promise.reject(new Error(`${NO_ANSWERS} fetchSockets()`));
  }

  #assertRemote(opts: BroadcastOptions | undefined): void {
    if (opts?.flags?.local) throw new Error('[egg-socket.io] agent.io has no clients of its own: remove `local`');
  }

  #send(command: Pick<Command, 'op' | 'args'>, opts?: BroadcastOptions): void {
    this.#assertRemote(opts);
    const { rooms = [], except = [], flags } = opts ?? {};
    const { name } = this.nsp;
    debug('send %s of %s', command.op, name);
    this.relay(encodeCommand({ ...command, nsp: name, opts: { rooms: [...rooms], except: [...except], flags } }));
  }
}

/**
 * Emits to the clients of all workers, and of all hosts with Redis.
 *
 * @example
 * // app/schedule/news.js of an application whose schedule runs in the agent, or agent.js
 * agent.io.of('/chat').to('lobby').emit('news', { text: 'hello' });
 */
export class AgentIo {
  readonly #server: Server;
  readonly #default: Namespace;

  /**
   * @param send - sends commands to one worker
   * @param users - the users of the application
   * @param questions - asks workers who is present
   */
  constructor(
    send: Send,
    private readonly users: Users,
    private readonly questions: Pick<AgentPresences, 'of'>,
  ) {
    class Relay extends RelayAdapter {
      constructor(nsp: Namespace) {
        super(nsp, send);
      }
    }
    this.#server = new Server({ adapter: Relay, serveClient: false });
    this.#default = new Namespace(this.#server, '/');
  }

  /** Returns a namespace of the application. */
  of(name: string): AgentNamespace {
    if (typeof name !== 'string')
      throw new TypeError('[egg-socket.io] agent.io.of: the name of a namespace is a string');
    // Created at each call: an application may use any number of names.
    const nsp = new Namespace(this.#server, name.startsWith('/') ? name : `/${name}`);
    const parent = isPattern(nsp.name) ? nsp.name : undefined;
    return Object.assign(nsp, {
      user: (id: UserId) => this.users.in(nsp, id, parent),
      presence: (topic?: string) => this.questions.of(nsp.name, topic, parent),
    });
  }

  /** Emits to all clients of the default namespace. */
  emit: AgentNamespace['emit'] = (event, ...args) => this.#default.emit(event, ...args);
  /** Emits the event `message` to all clients of the default namespace. */
  send: AgentNamespace['send'] = (...args) => this.#default.send(...args);
  write: AgentNamespace['write'] = (...args) => this.#default.write(...args);
  /** Selects the sockets in a room. */
  to: AgentNamespace['to'] = (room) => this.#default.to(room);
  in: AgentNamespace['in'] = (room) => this.#default.in(room);
  /** Excludes the sockets in a room. */
  except: AgentNamespace['except'] = (room) => this.#default.except(room);
  /** Selects all sockets of a user in the default namespace. */
  user: AgentNamespace['user'] = (id) => this.users.in(this.#default, id);
  /** Asks one worker who is present in a topic of the default namespace. */
  presence: AgentNamespace['presence'] = (topic) => this.questions.of('/', topic);
  compress: AgentNamespace['compress'] = (compress) => this.#default.compress(compress);
  get volatile(): AgentNamespace['volatile'] {
    return this.#default.volatile;
  }
  // The next four throw or reject: they would need answers, or clients of the agent.
  timeout: Namespace['timeout'] = (ms) => this.#default.timeout(ms);
  fetchSockets: Namespace['fetchSockets'] = () => this.#default.fetchSockets();
  emitWithAck: ReturnType<Namespace['timeout']>['emitWithAck'] = () =>
    Promise.reject(new Error(`${NO_ANSWERS} acknowledgements`));
  get local(): Namespace['local'] {
    return this.#default.local;
  }
  /** Makes sockets join rooms. */
  socketsJoin: AgentNamespace['socketsJoin'] = (rooms) => this.#default.socketsJoin(rooms);
  /** Makes sockets leave rooms. */
  socketsLeave: AgentNamespace['socketsLeave'] = (rooms) => this.#default.socketsLeave(rooms);
  disconnectSockets: AgentNamespace['disconnectSockets'] = (close) => this.#default.disconnectSockets(close);
  /** Emits an event on `app.io` of all workers, without acknowledgements. */
  serverSideEmit: AgentNamespace['serverSideEmit'] = (event, ...args) => this.#default.serverSideEmit(event, ...args);
}

/**
 * Returns a function that sends commands to one worker through Egg's messenger. It is the same worker as long as that is running, so
 * that commands arrive in order.
 */
export function commandSender(agent: Agent): Send {
  const { messenger, coreLogger } = agent;
  if (!isCluster(agent)) return (command) => void messenger.sendToApp(ACTION, command);
  let workers = workerIdsOf(messenger);
  let current: string | undefined;
  const leaving = new Set<string>();
  messenger.on('egg-pids', (pids: Array<number | string>) => {
    workers = pids.map(String);
    // Another worker may get the same process id.
    for (const id of leaving) if (!workers.includes(id)) leaving.delete(id);
  });
  messenger.on(LEAVING, (id: string) => {
    leaving.add(id);
    if (current === id) current = undefined;
  });
  return (command) => {
    if (current === undefined || !workers.includes(current)) {
      current = workers.find((id) => !leaving.has(id)) ?? workers[0];
      debug('commands are sent to worker %s', current);
    }
    if (current === undefined) {
      coreLogger.warn(
        '[egg-socket.io] agent.io has emitted before a worker is ready: no client receives it. Wait for agent.messenger.once("egg-ready")',
      );
      return;
    }
    // The types of Egg 3 declare the id as a number, those of Egg 4 as a string. Both need a string.
    messenger.sendTo(current as never, ACTION, command);
  };
}
