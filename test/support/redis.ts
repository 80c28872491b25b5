// A Redis server for a test: Debian's redis-server on a free port, with a directory that is removed with it.
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

/** The options of redis-server, without their dashes. */
export type RedisSettings = Record<string, string>;

const servers = new Set<RedisServer>();
// If the tests end early, no server and no directory remain.
process.on('exit', () => {
  for (const server of servers) server.remove();
});
process.once('SIGTERM', () => process.exit(143));

/** Starts a server. The caller stops it. */
export async function startRedis(settings: RedisSettings = {}, more: string[] = []): Promise<RedisServer> {
  const server = new RedisServer(await freePort(), settings, more);
  await server.start();
  return server;
}

export class RedisServer {
  child: ChildProcess | undefined;
  readonly directory = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-redis-'));
  /** What it prints when it is ready. */
  protected readonly banner: string = 'Ready to accept connections';

  constructor(
    readonly port: number,
    readonly settings: RedisSettings = {},
    /** Other arguments. */
    readonly more: string[] = [],
  ) {}

  protected get arguments(): string[] {
    const settings = {
      port: `${this.port}`,
      bind: '127.0.0.1',
      save: '',
      appendonly: 'no',
      dir: this.directory,
      ...this.settings,
    };
    return [...Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]), ...this.more];
  }

  /** Starts or restarts the server, on the same port. */
  async start(): Promise<void> {
    this.child = spawn('redis-server', this.arguments, { stdio: ['ignore', 'pipe', 'inherit'] });
    servers.add(this);
    const { stdout } = this.child;
    let output = '';
    const ready = new Promise<void>((resolve, reject) => {
      stdout?.on('data', (chunk) => {
        output += chunk;
        if (output.includes(this.banner)) resolve();
      });
      this.child?.once('exit', () => reject(new Error(`redis-server did not start:\n${output}`)));
    });
    await within('redis-server to start', ready);
  }

  /** Ends it as a crash does, without closing the connections. */
  async kill(): Promise<void> {
    if (this.child?.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  /** Hangs it: the connections stay open, and commands are not answered. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  /** `config.io.redis` for this server. */
  get config(): { host: string; port: number; auth_pass?: string } {
    return { host: '127.0.0.1', port: this.port, auth_pass: this.settings.requirepass };
  }

  async stop(): Promise<void> {
    await this.kill();
    servers.delete(this);
    this.remove();
  }

  /** As `stop`, without waiting. */
  remove(): void {
    this.child?.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Executes one command on a new connection. */
  async command(name: string, ...args: Array<string | Buffer>): Promise<any> {
    const client = new Redis({ port: this.port, host: '127.0.0.1', password: this.settings.requirepass });
    try {
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }

  /** Returns a new connection. */
  async connect(): Promise<Redis> {
    const client = new Redis({ port: this.port, host: '127.0.0.1', password: this.settings.requirepass });
    await client.ping();
    return client;
  }

  /** Returns the connections of other clients, one line each. */
  clients(): string[] {
    const auth = this.settings.requirepass ? ['--no-auth-warning', '-a', this.settings.requirepass] : [];
    const list = execFileSync('redis-cli', ['-p', `${this.port}`, ...auth, 'CLIENT', 'LIST'], { encoding: 'utf8' });
    return list.split('\n').filter((line) => line !== '' && !/ cmd=client\|list /.test(line));
  }
}

/** Starts an application that shares rooms through Redis. Its clients can join a room. */
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

/** Returns a client in a room. */
export async function inRoom(worker: Running, room: string) {
  const client = await worker.connect();
  await client.emitWithAck('join', room);
  return client;
}

let flowTimes = 0;

/** Waits until broadcasts of one application reach a client of the other. */
export async function flows(from: Running, to: Running): Promise<void> {
  const client = await to.connect();
  let heard = false;
  // Events of an earlier call do not count.
  const now = ++flowTimes;
  client.on('flows', (time) => {
    heard ||= time === now;
  });
  await until('broadcasts are delivered', () => {
    from.app.io.emit('flows', now);
    return heard;
  });
  client.disconnect();
}
