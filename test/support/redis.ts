// A Redis server of the test's own: Debian's redis-server on a free port, in a directory of its own, which is gone with it.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import type { IoConfig } from '../../lib';
import type { Running } from './app';
import { type Inline, startInline } from './inline';
import { freePort } from './port';
import { until, within } from './wait';

/** What a server is started with: the options of redis-server, without their dashes. */
export type RedisSettings = Record<string, string>;

const servers = new Set<RedisServer>();
// A test run that ends early leaves no server behind, and no directory.
process.on('exit', () => {
  for (const server of servers) server.remove();
});
process.once('SIGTERM', () => process.exit(143));

/** Starts a server. Who starts it stops it. */
export async function startRedis(settings: RedisSettings = {}, more: string[] = []): Promise<RedisServer> {
  const server = new RedisServer(await freePort(), settings, more);
  await server.start();
  return server;
}

export class RedisServer {
  child: ChildProcess | undefined;
  readonly #dir = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-redis-'));

  constructor(
    readonly port: number,
    readonly settings: RedisSettings = {},
    /** Arguments that are no setting with one value. */
    readonly more: string[] = [],
  ) {}

  /** Starts it, or starts it again on the same port. */
  async start(): Promise<void> {
    const settings = {
      port: `${this.port}`,
      bind: '127.0.0.1',
      save: '',
      appendonly: 'no',
      dir: this.#dir,
      ...this.settings,
    };
    const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
    this.child = spawn('redis-server', [...args, ...this.more], { stdio: ['ignore', 'pipe', 'inherit'] });
    servers.add(this);
    const { stdout } = this.child;
    let output = '';
    const ready = new Promise<void>((resolve, reject) => {
      stdout?.on('data', (chunk) => {
        output += chunk;
        if (output.includes('Ready to accept connections')) resolve();
      });
      this.child?.once('exit', () => reject(new Error(`redis-server did not start:\n${output}`)));
    });
    await within('redis-server', ready);
  }

  /** As a crash: no goodbye to the clients. */
  async kill(): Promise<void> {
    if (this.child?.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  /** As a host that hangs: connections stay and nothing answers. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  /** `config.io.redis` for it. */
  get config(): { host: string; port: number; auth_pass?: string } {
    return { host: '127.0.0.1', port: this.port, auth_pass: this.settings.requirepass };
  }

  async stop(): Promise<void> {
    await this.kill();
    servers.delete(this);
    this.remove();
  }

  /** What `stop` does, as far as there is time for it. */
  remove(): void {
    this.child?.kill('SIGKILL');
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** The answer to one command, given over a connection of its own. */
  async command(name: string, ...args: Array<string | Buffer>): Promise<any> {
    const client = new Redis({ port: this.port, host: '127.0.0.1', password: this.settings.requirepass });
    try {
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }

  /** A connection of the test's own. */
  async connect(): Promise<Redis> {
    const client = new Redis({ port: this.port, host: '127.0.0.1', password: this.settings.requirepass });
    await client.ping();
    return client;
  }

  /** The connections of other clients, a line each. */
  clients(): string[] {
    const auth = this.settings.requirepass ? ['--no-auth-warning', '-a', this.settings.requirepass] : [];
    const list = execFileSync('redis-cli', ['-p', `${this.port}`, ...auth, 'CLIENT', 'LIST'], { encoding: 'utf8' });
    return list.split('\n').filter((line) => line !== '' && !/ cmd=client\|list /.test(line));
  }
}

/** An application whose clients may join a room, and which shares rooms by Redis. */
export async function startWorker(redis: IoConfig['redis'], rest: Omit<Inline, 'router'> = {}): Promise<Running> {
  const inline = { ...rest, io: { ...rest.io, redis } };
  return startInline({
    ...inline,
    router: (app) => {
      app.io.route('join', async (ctx) => {
        await ctx.join(ctx.args[0]);
        ctx.args[1]();
      });
    },
  });
}

/** A client of the application, in a room. */
export async function inRoom(worker: Running, room: string) {
  const client = await worker.connect();
  await client.emitWithAck('join', room);
  return client;
}

let flowTimes = 0;

/** Waits until broadcasts of the one application reach a client of the other. */
export async function flows(from: Running, to: Running): Promise<void> {
  const client = await to.connect();
  let heard = false;
  // What is still on its way from an earlier time says nothing.
  const now = ++flowTimes;
  client.on('flows', (time) => {
    heard ||= time === now;
  });
  await until('broadcasts flow', () => {
    from.app.io.emit('flows', now);
    return heard;
  });
  client.disconnect();
}
