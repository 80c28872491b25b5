// The ids of workers, and the directory in which the workers of one master have their unix sockets.
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { debuglog } from 'node:util';

const debug = debuglog('egg-socket.io:links');

const WORKER_ID_LENGTH = 8;
const WORKER_ID = /^[\w-]{8}$/;
const SESSION_ID = /^[\w-]{30}$/;

/** Creates a random id for a worker. A worker that is restarted has another id. */
export function createWorkerId(): string {
  return randomBytes(6).toString('base64url');
}

/** Whether a value is the id of a worker. Other values must not become part of a path. */
export function isWorkerId(value: unknown): value is string {
  return typeof value === 'string' && WORKER_ID.test(value);
}

/** Creates a session id for Engine.IO: the id of its worker, and 128 random bits. */
export function createSessionId(workerId: string): string {
  return workerId + randomBytes(16).toString('base64url');
}

/** Returns the id of the worker that has created a session id, or undefined if no worker creates such ids. */
export function workerIdOf(sessionId: unknown): string | undefined {
  return typeof sessionId === 'string' && SESSION_ID.test(sessionId) ? sessionId.slice(0, WORKER_ID_LENGTH) : undefined;
}

/** What listens on a socket of a worker: its internal HTTP server, or the server of its links. */
type SocketKind = 'http' | 'link';

const KINDS = ['http', 'link'] as const;

/** The path of a unix socket has at most 103 bytes on macOS, and 107 on Linux. */
const MAX_PATH = 103;
/** What is appended to the path of the directory: a slash, a dot, the id of a worker, and `.http`. */
const MAX_NAME = 15;
/** How many connections may wait for a busy worker. If one is refused, the worker is considered dead. */
const BACKLOG = 4096;

/** `app.coreLogger`. */
interface DirectoryLog {
  error(message: string): void;
  warn(message: string): void;
}

/** A socket of this worker. */
interface OwnSocket {
  readonly server: Server;
  readonly workerId: string;
  readonly kind: SocketKind;
  /** Called when the socket was removed and created again. */
  readonly restored: () => void;
  /** A file of the same name with another inode is not this socket. */
  inode: number | undefined;
  /** Listens instead of the server after the socket was removed. The server gets its connections. */
  acceptor?: Server;
}

/** This worker among the workers of its master. */
export interface WorkerIdentity {
  readonly workerId: string;
  readonly directory: RunDirectory;
}

/** A directory that only the user of the master can enter. */
export class RunDirectory {
  /** How often the sockets of this worker are looked up, in ms. */
  static checkInterval = 2000;

  readonly path: string;
  readonly #own = new Set<OwnSocket>();
  #timer: NodeJS.Timeout | undefined;
  #isRestoring = false;
  /** Whether the log says that the sockets cannot be created again. */
  #isFailing = false;

  /**
   * @param rundir - `app.config.rundir`
   * @param masterId - the same for all processes of one master, and different for two masters: Egg's `clusterPort`
   * @param log - logs that sockets of this worker were removed
   * @param isWindows - whether sockets are named pipes
   */
  constructor(
    rundir: string,
    masterId: number | string,
    private readonly log?: DirectoryLog,
    private readonly isWindows = process.platform === 'win32',
  ) {
    const { parent, prefix } = locationOf(rundir);
    this.path = path.join(parent, `${prefix}${masterId}`);
  }

  /**
   * Makes a server listen on a socket of this worker. If the socket is removed while the server listens, it is created again.
   *
   * @param restored - called when the socket was created again
   * @throws {Error} if the directory belongs to another user, or its file system does not support sockets
   */
  async listen(server: Server, workerId: string, kind: SocketKind, restored = () => {}): Promise<void> {
    try {
      await this.#listen(server, workerId, kind);
      this.#watch({ server, workerId, kind, restored, inode: this.#inodeOf(workerId, kind) });
    } catch (err) {
      const problem = `[egg-socket.io] can't open a socket for the other workers in ${this.path}: ${(err as Error).message}`;
      throw new Error(`${problem}. Set config.rundir to a directory on a local file system that is writable`, {
        cause: err,
      });
    }
  }

  /** Returns the address to connect to. */
  address(workerId: string, kind: SocketKind): string {
    if (!this.isWindows) return this.#file(workerId, kind);
    const hash = createHash('sha256').update(this.path).digest('hex').slice(0, 16);
    return `\\\\.\\pipe\\egg-socket.io-${hash}-${workerId}.${kind}`;
  }

  /** Returns the ids of the workers that have a socket of this kind. */
  workerIds(kind: SocketKind): string[] {
    try {
      const names = readdirSync(this.path).filter((name) => name.endsWith(`.${kind}`));
      return names.map((name) => name.slice(0, -kind.length - 1)).filter(isWorkerId);
    } catch {
      return [];
    }
  }

  /** Removes the sockets of a worker. With those of the last worker, removes the directory. */
  remove(workerId: string): void {
    for (const socket of this.#own) if (socket.workerId === workerId) this.#unwatch(socket);
    for (const kind of KINDS) rmSync(this.#file(workerId, kind), { force: true });
    try {
      rmdirSync(this.path);
    } catch {
      // Other workers have sockets in it.
    }
  }

  async #listen(server: Server, workerId: string, kind: SocketKind): Promise<void> {
    const address = this.address(workerId, kind);
    // Renamed when the server listens: a socket that refuses connections is considered that of a dead worker.
    const hidden = this.isWindows ? address : path.join(this.path, `.${workerId}.${kind}`);
    for (let attempt = 1; ; attempt++) {
      try {
        this.#create();
        await listenOn(server, hidden);
        break;
      } catch (err) {
        // The last worker of an earlier master has just removed the directory.
        if (attempt === 3 || !isUnreachable(err as NodeJS.ErrnoException)) throw err;
      }
    }
    if (this.isWindows) writeFileSync(this.#file(workerId, kind), '');
    else {
      chmodSync(hidden, 0o600);
      renameSync(hidden, address);
    }
  }

  #watch(socket: OwnSocket): void {
    socket.server.once('close', () => {
      socket.acceptor?.close();
      this.#unwatch(socket);
    });
    this.#own.add(socket);
    this.#timer ??= setInterval(() => this.#check(), RunDirectory.checkInterval).unref();
  }

  #unwatch(socket: OwnSocket): void {
    this.#own.delete(socket);
    if (this.#own.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Creates the sockets of this worker again that were removed, as by a deploy that cleans `config.rundir`. */
  async #check(): Promise<void> {
    const removed = [...this.#own].filter(({ workerId, kind, inode }) => this.#inodeOf(workerId, kind) !== inode);
    if (removed.length === 0 || this.#isRestoring) return;
    this.#isRestoring = true;
    try {
      for (const socket of removed) await this.#restore(socket);
      this.#isFailing = false;
      this.log?.warn(
        `[egg-socket.io] the sockets of this worker in ${this.path} were removed, and are created again. In the meantime other workers could not connect to it. Do not remove config.rundir while workers run`,
      );
    } catch (err) {
      debug('cannot create the sockets again: %s', err);
      if (!this.#isFailing) {
        this.log?.error(
          `[egg-socket.io] the sockets of this worker in ${this.path} were removed, and it can't create them again: ${(err as Error).message}. Until it can, other workers can't forward requests to it, and workers that start exchange no broadcasts with it. It tries again every ${RunDirectory.checkInterval} ms`,
        );
      }
      this.#isFailing = true;
    }
    this.#isRestoring = false;
  }

  /** The server continues to listen on the socket that was removed: it keeps its connections. */
  async #restore(socket: OwnSocket): Promise<void> {
    const { server, workerId, kind } = socket;
    if (this.isWindows) {
      this.#create();
      writeFileSync(this.#file(workerId, kind), '');
    } else {
      const acceptor = createServer({ allowHalfOpen: kind === 'http' });
      acceptor.on('connection', (connection) => server.emit('connection', connection));
      acceptor.on('drop', (data) => server.emit('drop', data));
      acceptor.maxConnections = server.maxConnections;
      try {
        await this.#listen(acceptor, workerId, kind);
      } catch (err) {
        acceptor.close();
        throw err;
      }
      socket.acceptor?.close();
      socket.acceptor = acceptor;
    }
    socket.inode = this.#inodeOf(workerId, kind);
    if (this.#own.has(socket)) socket.restored();
    else {
      // The worker has closed in the meantime.
      socket.acceptor?.close();
      this.remove(workerId);
    }
  }

  /** Returns undefined if the socket does not exist. */
  #inodeOf(workerId: string, kind: SocketKind): number | undefined {
    try {
      return lstatSync(this.#file(workerId, kind)).ino;
    } catch {
      return undefined;
    }
  }

  /** On Windows, sockets are named pipes and are outside the directory, which has an empty file for each. */
  #file(workerId: string, kind: SocketKind): string {
    return path.join(this.path, `${workerId}.${kind}`);
  }

  #create(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    if (this.isWindows) return;
    const stats = lstatSync(this.path);
    const isOwn = stats.isDirectory() && stats.uid === process.getuid?.();
    if (!isOwn) throw new Error(`${this.path} is not a directory of this user: remove it`);
    if ((stats.mode & 0o777) !== 0o700) chmodSync(this.path, 0o700);
  }
}

/** Returns where the directories of all masters are: in `rundir`, unless the path of a socket would be too long. */
function locationOf(rundir: string): { parent: string; prefix: string } {
  const prefix = 'egg-socket.io-';
  const longest = Buffer.byteLength(path.join(rundir, `${prefix}65535`)) + MAX_NAME;
  if (longest <= MAX_PATH) return { parent: rundir, prefix };
  const hash = createHash('sha256').update(rundir).digest('hex').slice(0, 12);
  return { parent: tmpdir(), prefix: `${prefix}${process.getuid?.() ?? ''}-${hash}-` };
}

function listenOn(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Exclusive: node:cluster would share the server with the other workers.
    server.listen({ path: address, exclusive: true, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Removes the sockets of dead workers from the directories of all masters. */
export async function removeDeadWorkers(rundir: string): Promise<void> {
  const { parent, prefix } = locationOf(rundir);
  let names: string[];
  try {
    names = readdirSync(parent).filter((name) => name.startsWith(prefix));
  } catch {
    return;
  }
  for (const name of names) {
    const directory = new RunDirectory(rundir, name.slice(prefix.length));
    const workerIds = new Set(KINDS.flatMap((kind) => directory.workerIds(kind)));
    for (const workerId of workerIds) if (await isDead(directory, workerId)) directory.remove(workerId);
  }
}

async function isDead(directory: RunDirectory, workerId: string): Promise<boolean> {
  const refused = await Promise.all(KINDS.map((kind) => isRefused(directory.address(workerId, kind))));
  return refused.every(Boolean);
}

function isRefused(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address, () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (err: NodeJS.ErrnoException) => resolve(isUnreachable(err)));
  });
}

/** Whether an error means that no process listens on a socket. A process that is too busy causes other errors. */
export function isUnreachable({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNREFUSED' || code === 'ENOENT';
}
