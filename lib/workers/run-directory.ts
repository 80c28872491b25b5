// The directory in which the workers of one master find each other: each has its sockets there, named by its tag. Whoever can
// read it is a worker of the same user. Made by lib/cluster.ts.
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isTag } from './session-id';

/** `door`: what clients' requests are handed over to; `link`: what workers send each other. */
export type SocketKind = 'door' | 'link';

/** A unix socket's path has at most 103 bytes on macOS, and 107 on Linux. */
const MAX_PATH = 103;
/** What is added to the directory's path: a slash, a dot, a tag, `.door`. */
const MAX_NAME = 15;
/** How many may wait until a busy worker takes them, where the system allows it: who is refused takes it for a dead one. */
const BACKLOG = 4096;
const WINDOWS = process.platform === 'win32';

/** Where sockets are, and for which master: `rundir` of Egg, unless its path is too long for a socket. */
function place(rundir: string): { parent: string; prefix: string } {
  const prefix = 'egg-socket.io-';
  const longest = Buffer.byteLength(path.join(rundir, `${prefix}65535`)) + MAX_NAME;
  if (longest <= MAX_PATH) return { parent: rundir, prefix };
  const hash = createHash('sha256').update(rundir).digest('hex').slice(0, 12);
  return { parent: tmpdir(), prefix: `${prefix}${process.getuid?.() ?? ''}-${hash}-` };
}

/** A directory that nobody else can enter. */
export class RunDirectory {
  readonly path: string;

  /**
   * @param rundir - `app.config.rundir`
   * @param id - what the processes of one master have in common, and those of two masters have not: Egg's `clusterPort`
   */
  constructor(rundir: string, id: number | string) {
    const { parent, prefix } = place(rundir);
    this.path = path.join(parent, `${prefix}${id}`);
  }

  /**
   * Makes a server listen on a socket of a worker.
   *
   * @throws where the directory isn't ours alone, or the file system has no sockets
   */
  async listen(server: Server, tag: string, kind: SocketKind): Promise<void> {
    const address = this.address(tag, kind);
    // Seen by the others when it is listened on, not before: who is refused takes a socket for one of a dead worker.
    const hidden = WINDOWS ? address : path.join(this.path, `.${tag}.${kind}`);
    for (let attempt = 1; ; attempt++) {
      try {
        this.#create();
        await listen(server, hidden);
        break;
      } catch (err) {
        // The last worker of before has just removed the directory.
        if (attempt === 3 || !isGone(err as NodeJS.ErrnoException)) throw err;
      }
    }
    if (WINDOWS) writeFileSync(this.#entry(tag, kind), '');
    else {
      chmodSync(hidden, 0o600);
      renameSync(hidden, address);
    }
  }

  /** What to connect to. */
  address(tag: string, kind: SocketKind): string {
    if (!WINDOWS) return this.#entry(tag, kind);
    const hash = createHash('sha256').update(this.path).digest('hex').slice(0, 16);
    return `\\\\.\\pipe\\egg-socket.io-${hash}-${tag}.${kind}`;
  }

  /** The workers that have such a socket here. */
  tags(kind: SocketKind): string[] {
    try {
      const names = readdirSync(this.path).filter((name) => name.endsWith(`.${kind}`));
      return names.map((name) => name.slice(0, -kind.length - 1)).filter(isTag);
    } catch {
      return [];
    }
  }

  /** Removes a worker's sockets, and the directory with the last one's. */
  remove(tag: string): void {
    for (const kind of ['door', 'link'] as const) rmSync(this.#entry(tag, kind), { force: true });
    try {
      rmdirSync(this.path);
    } catch {
      // Others are in it.
    }
  }

  #entry(tag: string, kind: SocketKind): string {
    return path.join(this.path, `${tag}.${kind}`);
  }

  #create(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    if (WINDOWS) return;
    const found = lstatSync(this.path);
    const isOurs = found.isDirectory() && found.uid === process.getuid?.();
    if (!isOurs) throw new Error(`${this.path} is not a directory of this user: remove it`);
    if ((found.mode & 0o777) !== 0o700) chmodSync(this.path, 0o700);
  }
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // A worker's own, not the master's for all workers.
    server.listen({ path: address, exclusive: true, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Removes what workers have left that were killed together with their master. Called by agent.ts, before its workers start. */
export async function sweep(rundir: string): Promise<void> {
  const { parent, prefix } = place(rundir);
  let names: string[];
  try {
    names = readdirSync(parent).filter((name) => name.startsWith(prefix));
  } catch {
    return;
  }
  for (const name of names) {
    const directory = new RunDirectory(rundir, name.slice(prefix.length));
    const tags = new Set([...directory.tags('door'), ...directory.tags('link')]);
    for (const tag of tags) if (await isDead(directory, tag)) directory.remove(tag);
  }
}

async function isDead(directory: RunDirectory, tag: string): Promise<boolean> {
  const refused = await Promise.all((['door', 'link'] as const).map((kind) => isRefused(directory.address(tag, kind))));
  return refused.every(Boolean);
}

function isRefused(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address, () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (err: NodeJS.ErrnoException) => resolve(isGone(err)));
  });
}

/** Whether nobody is there any more, rather than too busy to answer. */
export function isGone({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNREFUSED' || code === 'ENOENT';
}
