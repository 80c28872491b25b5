// config.io.admin: the admin UI of Socket.IO connects to a namespace of its own.
import assert from 'node:assert/strict';
import type { Socket } from 'socket.io-client';
import type { AccessEntry, AdminConfig, IoConfig } from '../lib';
import { loadAdminUi } from '../lib/config/admin';
import { resolveConfig } from '../lib/config/config';
import { type ClientOptions, connected, logs, mm, type Running, refused, track } from './support/app';
import { startCluster } from './support/cluster';
import { bootError, startInline } from './support/inline';
import { flows, startRedis, startWorker } from './support/redis';
import { next, until } from './support/wait';

const HASH = '$2a$04$aH75L62Ll9wX1b2E3afpteYhLe6j7Jrpy6bpU0GyJl.j2tCTj5Myy';
const AUTH = { username: 'admin', password: HASH };
const LOGIN = { auth: { username: 'admin', password: 'secret' } };

/** What the UI receives of a socket. */
interface SeenSocket {
  id: string;
  nsp: string;
  rooms: string[];
  data: object;
}

/** Records the events that an admin client receives. */
function recording(admin: Socket): Array<[event: string, ...args: any[]]> {
  const seen: Array<[string, ...any[]]> = [];
  admin.onAny((...event: [string, ...any[]]) => seen.push(event));
  return seen;
}

/** Returns a connected admin client, and the sockets that it was told of. */
async function connectAdmin(url: string, options: ClientOptions = LOGIN): Promise<[admin: Socket, SeenSocket[]]> {
  const admin = track(`${url}/admin`, options);
  const all = next<[SeenSocket[]]>(admin, 'all_sockets');
  await connected(admin);
  return [admin, (await all)[0]];
}

describe('config.io.admin', () => {
  const wrong: Array<[config: unknown, message: RegExp]> = [
    [{}, /config\.io\.admin\.auth must be set .*allowed: \{ username, password \}/],
    [
      { auth: { username: 'admin', password: 'secret' } },
      /must be the bcrypt hash of the password, and not the password/,
    ],
    [{ auth: { username: '', password: HASH } }, /config\.io\.admin\.auth\.username is invalid/],
    [{ auth: { ...AUTH, type: 'token' } }, /config\.io\.admin\.auth\.type is invalid/],
    [{ auth: AUTH, namespaceName: '/' }, /config\.io\.admin\.namespaceName is invalid/],
    [{ auth: AUTH, namespaceName: '/a/:b' }, /config\.io\.admin\.namespaceName is invalid/],
    [{ auth: AUTH, namespaceName: '/chat' }, /needs a namespace of its own, and config\.io\.namespace has \/chat/],
    [{ auth: AUTH, mode: 'debug' }, /config\.io\.admin\.mode is invalid/],
    [{ auth: AUTH, readonly: 1 }, /config\.io\.admin\.readonly is invalid/],
    [{ auth: AUTH, store: {} }, /unknown option store/],
    [true, /config\.io\.admin is invalid .*allowed: \{ auth: \{ username, password \} \}/],
    ['secret', /config\.io\.admin is invalid/],
  ];
  for (const [admin, message] of wrong) {
    it(`should refuse ${JSON.stringify(admin)}`, () => {
      const config = { admin: admin as AdminConfig, namespace: { '/chat': {} } };
      assert.throws(() => resolveConfig(config), { message });
      try {
        resolveConfig(config);
      } catch (err) {
        assert.doesNotMatch((err as Error).message, /secret|\$2a/);
      }
    });
  }

  it('should refuse a server without authentication, unless it is in development', async () => {
    const admin = resolveConfig({ admin: { auth: false } }).admin!;
    const { baseDir } = (await startInline({})).app;
    for (const env of ['prod', 'pre', 'default']) {
      const load = () => loadAdminUi({ config: { env }, baseDir }, admin);
      assert.throws(load, { message: new RegExp(`everyone could connect to the admin UI in the environment ${env}`) });
    }
    for (const env of ['local', 'unittest']) loadAdminUi({ config: { env }, baseDir }, admin);
    mm(process.env, 'EGG_SERVER_ENV', 'prod');
    assert.match((await bootError({ io: { admin: { auth: false } } })).message, /everyone could connect/);
  });

  it('should say how to install the package', () => {
    const admin = resolveConfig({ admin: { auth: AUTH } }).admin!;
    const load = () => loadAdminUi({ config: { env: 'prod' }, baseDir: '/nowhere' }, admin);
    assert.throws(load, { message: /can't load the admin UI: run "npm install @socket\.io\/admin-ui", or remove/ });
    assert.throws(load, (err: Error) => !err.message.includes('$2a'));
  });

  it('should be read-only and without details if the server is deployed, unless it is configured otherwise', async () => {
    const { baseDir } = (await startInline({})).app;
    const options = (env: string, more: Partial<AdminConfig> = {}) => {
      const admin = resolveConfig({ admin: { auth: AUTH, ...more } }).admin!;
      const { mode, readonly } = loadAdminUi({ config: { env }, baseDir }, admin).options;
      return [mode, readonly];
    };
    assert.deepEqual(options('prod'), ['production', true]);
    assert.deepEqual(options('local'), ['development', false]);
    assert.deepEqual(options('prod', { mode: 'development', readonly: false }), ['development', false]);
  });
});

describe('the admin UI', () => {
  const deny = async () => {
    throw new Error('denied');
  };
  const pass = (_ctx: unknown, next: () => Promise<void>) => next();

  /** Starts an application with a route. */
  const startAdmin = (io: IoConfig = {}): Promise<Running> =>
    startInline({
      io: { admin: { auth: AUTH }, packetMiddleware: ['a'], ...io },
      middleware: { a: pass, guard: deny },
      router: (app) => {
        app.io.of('/chat').route('say', async (ctx) => {
          await ctx.join('room');
          ctx.emit('said', ctx.args[0]);
          ctx.args[1]?.('answer');
        });
      },
    });

  it('should show sockets, and the events of routes, to those who have the password', async () => {
    const running = await startAdmin();
    const early = await running.connect('/chat');
    const [admin, sockets] = await connectAdmin(running.url);
    const found = sockets.find(({ id }) => id === early.id);
    assert.equal(found?.nsp, '/chat');

    const seen = recording(admin);
    const client = await running.connect('/chat');
    assert.equal(await client.emitWithAck('say', 'hello'), 'answer');
    const { id } = client;
    client.disconnect();
    await until('the disconnect is shown', () => seen.some(([event]) => event === 'socket_disconnected'));
    assert.equal(seen.find(([event]) => event === 'socket_connected')?.[1].id, id);
    const short = seen
      .filter(([event]) => !/^(server_stats|socket_connected)$/.test(event))
      .map((event) => event.slice(0, 4));
    const expected = [
      ['event_received', '/chat', id, ['say', 'hello']],
      ['room_joined', '/chat', 'room', id],
      ['event_sent', '/chat', id, ['said', 'hello']],
      ['socket_disconnected', '/chat', id, 'client namespace disconnect'],
    ];
    for (const event of expected) {
      assert(
        short.some((each) => JSON.stringify(each) === JSON.stringify(event)),
        `${JSON.stringify(event)} is missing in ${JSON.stringify(short)}`,
      );
    }
  });

  it('should not count as a listener that answers', async () => {
    const running = await startAdmin({ ack: 'auto' });
    await connectAdmin(running.url);
    const client = await running.connect('/chat');
    const answer = { error: { message: "no route for 'sya' in /chat", code: 'NO_ROUTE' } };
    assert.deepEqual(await client.emitWithAck('sya', 'hello'), answer);
  });

  it('should not count as a listener in the outcome of an event', async () => {
    const outcomes: AccessEntry['outcome'][] = [];
    const accessLog = ({ kind, outcome }: AccessEntry) => void (kind === 'event' && outcomes.push(outcome));
    const running = await startAdmin({ accessLog });
    await connectAdmin(running.url);
    const client = await running.connect('/chat');
    client.emit('sya', 'hello');
    assert.equal(await client.emitWithAck('say', 'hello'), 'answer');
    await until('both events have ended', () => outcomes.length === 2);
    assert.deepEqual(outcomes, ['no route', 'ok']);
  });

  it('should count connections and packets', async () => {
    const running = await startAdmin();
    const admin = await connected(track(`${running.url}/admin`, LOGIN));
    await running.connect('/chat');
    const types = new Set<string>();
    admin.on('server_stats', ({ aggregatedEvents }) => {
      for (const { type } of aggregatedEvents) types.add(type);
    });
    const [stats] = await next(admin, 'server_stats');
    assert.equal(stats.clientsCount, 2);
    await until('packets are counted', () => types.has('rawConnection') && types.has('packetsIn'));
  });

  it('should refuse everyone else, and handle what is no password', async () => {
    const { url } = await startAdmin();
    const wild: unknown[] = [];
    const catchWild = (err: unknown) => wild.push(err);
    process.on('unhandledRejection', catchWild);
    const attempts = [
      {},
      { username: 'admin', password: 'wrong' },
      { username: 'admin' },
      { username: 'admin', password: 5 },
      { username: 'admin', password: null },
      { username: ['admin'], password: 'secret' },
      { sessionId: 'constructor' },
      { sessionId: { toString: 1 } },
    ];
    for (const auth of attempts) {
      assert.equal(
        (await refused(track(`${url}/admin`, { auth }))).message,
        'invalid credentials',
        JSON.stringify(auth),
      );
    }
    process.off('unhandledRejection', catchWild);
    assert.deepEqual(wild, []);
  });

  it('should not be guarded by the middleware of the application, and not be taken by its patterns', async () => {
    const io = { connectionMiddleware: ['guard'], namespace: { '/chat': {}, '/:name': {} } };
    const { app, url, client } = await startAdmin(io);
    app.io.of(/^\/adm/);
    await connectAdmin(url);
    assert.equal((await refused(client('/other'))).message, 'denied');
    assert.equal((await refused(client('/admin'))).message, 'invalid credentials');
    assert.deepEqual(app.io.names().includes('/admin'), false);
    assert.equal(
      app.io.routes().some(({ namespace }) => namespace === '/admin'),
      false,
    );
    assert.throws(
      () => app.io.of('admin').route('a', () => {}),
      /set config\.io\.admin\.namespaceName to another name/,
    );
  });

  it('should have another namespace if it is configured, and none without the configuration', async () => {
    const running = await startAdmin({ admin: { auth: false, namespaceName: '/ops' } });
    await connected(track(`${running.url}/ops`));
    assert.equal((await refused(track(`${running.url}/admin`, LOGIN))).message, 'Invalid namespace');
    const without = await startInline({});
    assert.equal((await refused(track(`${without.url}/admin`, LOGIN))).message, 'Invalid namespace');
  });

  it('should disconnect sockets, log that, and do nothing in a namespace that does not exist', async () => {
    const running = await startAdmin();
    const { app, url } = running;
    const { error } = logs(app);
    const lines: string[] = [];
    mm(app.coreLogger, 'info', (line: string) => lines.push(line));
    const [admin] = await connectAdmin(url);
    const client = await running.connect('/chat');
    admin.emit('emit', '/made-up', undefined, 'x');
    admin.emit('join', { toString: 1 }, 'x');
    admin.emit('emit', '/chat', undefined, 'connect');
    const left = next(client, 'disconnect');
    admin.emit('_disconnect', '/chat', false, client.id);
    await left;
    assert.equal(app.io._nsps.has('/made-up'), false);
    assert.match(lines.at(-1)!, /admin UI \(.+\): _disconnect in \/chat$/);
    // A reserved event, and a name that is no string.
    assert.equal(error.length, 2, String(error));
  });

  it('should show no details, and obey nothing, if it is in production and read-only', async () => {
    const running = await startAdmin({ admin: { auth: AUTH, mode: 'production', readonly: true } });
    const admin = track(`${running.url}/admin`, LOGIN);
    const seen = recording(admin);
    const config = next(admin, 'config');
    assert.deepEqual((await config)[0].supportedFeatures, ['AGGREGATED_EVENTS']);
    const client = await running.connect('/chat');
    admin.emit('_disconnect', '/chat', false);
    assert.equal(await client.emitWithAck('say', 'hello'), 'answer');
    await until('statistics arrive', () => seen.some(([event]) => event === 'server_stats'));
    assert.deepEqual([...new Set(seen.map(([event]) => event))].sort(), ['config', 'server_stats', 'session']);
    assert.equal(client.connected, true);
  });

  it('should let the page of another origin connect if init.cors allows it', async () => {
    const origin = 'https://admin.socket.io';
    const from = { ...LOGIN, extraHeaders: { origin }, transports: ['websocket'] };
    const closed = await startAdmin();
    await refused(track(`${closed.url}/admin`, from));
    const open = await startAdmin({ init: { cors: { origin: [origin], credentials: true } } });
    await connected(track(`${open.url}/admin`, from));
  });

  it('should work with connectionStateRecovery', async () => {
    const running = await startAdmin({ init: { connectionStateRecovery: {} } });
    const [admin] = await connectAdmin(running.url);
    const client = await running.connect('/chat', { reconnection: true, reconnectionDelay: 10 });
    const said = next(client, 'said');
    client.emit('say', 'hello');
    await said;
    const { id } = client;
    const again = next<[SeenSocket]>(admin, 'socket_connected');
    const back = next(client, 'connect');
    client.io.engine.close();
    await back;
    assert.equal(client.recovered, true);
    assert.equal((await again)[0].id, id);
    const received = next(admin, 'event_received');
    client.emit('say', 'again');
    assert.deepEqual((await received).slice(0, 3), ['/chat', id, ['say', 'again']]);
  });
});

describe('the admin UI with several workers', () => {
  it('should show the sockets of other hosts, and know its session there, with Redis', async () => {
    const redis = await startRedis();
    try {
      const io = { admin: { auth: AUTH } };
      const [one, other] = [await startWorker(redis.config, { io }), await startWorker(redis.config, { io })];
      await flows(one, other);
      const far = await other.connect();
      const admin = track(`${one.url}/admin`, LOGIN);
      const sessionId = next<[string]>(admin, 'session');
      const all = next<[SeenSocket[]]>(admin, 'all_sockets');
      assert((await all)[0].some(({ id }) => id === far.id));
      const auth = { sessionId: (await sessionId)[0] };
      // The session arrives after the client was admitted.
      await until('the other worker knows the session', async () => {
        const again = track(`${other.url}/admin`, { auth });
        return await connected(again).then(
          () => true,
          () => false,
        );
      });

      // The other workers cannot be asked.
      const { warn } = logs(one.app);
      await redis.kill();
      await until('Redis is down', () => !one.app.io.health().adapter.up);
      await connected(track(`${one.url}/admin`, LOGIN));
      await until('that is logged', () =>
        warn.some((line) => /admin UI shows no sockets that .*not connected/.test(line)),
      );
    } finally {
      await redis.stop();
    }
  });

  it('should show the sockets of all workers, and know its session on all of them', async () => {
    const config = { io: { admin: { auth: AUTH, mode: 'development' } } };
    const cluster = await startCluster('cluster', { workers: 2 }, { EGG_APP_CONFIG: JSON.stringify(config) });
    try {
      const clients = new Map<number, Socket>();
      await until('there is a client of each worker', async () => {
        const client = await connected(track(cluster.url, { transports: ['websocket'] }));
        const pid = await client.emitWithAck('pid');
        if (clients.has(pid)) client.disconnect();
        else clients.set(pid, client);
        return clients.size === 2;
      });
      const admin = track(`${cluster.url}/admin`, LOGIN);
      const sessionId = next<[string]>(admin, 'session');
      const all = next<[SeenSocket[]]>(admin, 'all_sockets');
      const pids = new Set<number>();
      admin.on('server_stats', ({ pid }) => pids.add(pid));
      const ids = (await all)[0].map(({ id }) => id);
      for (const { id } of clients.values()) assert(ids.includes(id as string), `${id} is missing in ${ids}`);
      for (const client of clients.values()) {
        const received = next(admin, 'event_received');
        await client.emitWithAck('pid');
        assert.deepEqual((await received).slice(0, 3), ['/', client.id, ['pid']]);
      }
      await until('both workers send statistics', () => pids.size === 2);

      // As when the page of the UI is loaded again.
      const auth = { sessionId: (await sessionId)[0] };
      const seen = new Set<number>();
      await until('the session was used on both workers', async () => {
        const one = track(cluster.url, { transports: ['websocket'], forceNew: true });
        const again = await connected(one.io.socket('/admin', { auth }) as Socket);
        seen.add(await (await connected(one)).emitWithAck('pid'));
        again.disconnect();
        return seen.size === 2;
      });
    } finally {
      await cluster.close();
    }
  });
});
