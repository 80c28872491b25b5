// app.io.routes(), the command that prints it, and the log line at boot that counts routes.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Middleware } from '../lib';
import { summary } from '../lib/boot';
import { FRAMEWORK, mm, ROOT, start } from './support/app';
import { startInline } from './support/inline';
import { freePort } from './support/port';

const REGISTER = path.join(__dirname, 'support/register.cjs');
const MAIN = path.join(ROOT, 'lib/cli/main.ts');

describe('app.io.routes()', () => {
  it('should list namespaces and patterns, their chains, events, middleware and controllers', async () => {
    const pass: Middleware = (_ctx, next) => next();
    const other = () => ((_ctx, next) => next()) as Middleware;
    const { app } = await startInline({
      io: {
        connectionMiddleware: ['a'],
        packetMiddleware: ['b'],
        namespace: { '/': {}, '/room/:id': { connectionMiddleware: ['guard'], packetMiddleware: ['c'] } },
      },
      middleware: { a: other(), b: other(), c: other(), guard: other() },
      controller: () => ({ say() {}, deep: { er() {} } }),
      router: (app) => {
        const { controller, middleware } = app.io as never as { controller: any; middleware: any };
        app.io.route('say', controller.chat.say);
        app.io.of('/room/:id').route({ connect: 'chat.say' as never, '*': 'chat.deep.er' as never });
        app.io.of('/room/5').emit('a child is not listed');
        app.io.of(/^\/x/).route('say', middleware.c, pass, () => {});
        app.io.of('/late').route('enter', { args: [] }, () => {});
        app.io.of('/late').route('leave', app.io.limit({ points: 1 }), function leave() {});
      },
    });
    const everywhere = { connectionMiddleware: ['a'], packetMiddleware: ['b'] };
    const route = (event: string, controller: string, middleware: string[] = [], system = false, schema = false) => ({
      event,
      system,
      schema,
      middleware,
      controller,
    });
    const routes = app.io.routes();
    assert.deepEqual(routes, [
      { namespace: '/', ...everywhere, routes: [route('say', 'chat.say')] },
      {
        namespace: '/late',
        ...everywhere,
        routes: [route('enter', 'inline function', [], false, true), route('leave', 'leave', ['limit'])],
      },
      {
        namespace: '/room/:id',
        connectionMiddleware: ['a', 'guard'],
        packetMiddleware: ['b', 'c'],
        routes: [route('connect', 'chat.say', [], true), route('*', 'chat.deep.er')],
      },
      { namespace: '/^\\/x/', ...everywhere, routes: [route('say', 'inline function', ['c', 'pass'])] },
    ]);
    assert.deepEqual(JSON.parse(JSON.stringify(routes)), routes);
  });

  it('should be counted in the log line at boot, with the docs, in the environment local', async () => {
    const { app } = await startInline({ router: (app) => app.io.route({ one: () => {}, two: () => {} }) });
    mm(app.config, 'env', 'prod');
    assert.doesNotMatch(summary(app), /routes/);
    mm(app.config, 'env', 'local');
    assert.match(
      summary(app),
      /; routes: 2 \(npx egg-socket\.io routes lists them\); docs: https:\/\/github\.com\/eggjs\/egg-socket\.io#readme$/,
    );
  });
});

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `egg-socket.io routes`. */
function run(args: string[], env: Record<string, string> = {}): Promise<Result> {
  const options = { env: { ...process.env, EGG_SERVER_ENV: 'local', ...env }, timeout: 100_000 };
  return new Promise((resolve) => {
    execFile(process.execPath, ['--require', REGISTER, MAIN, 'routes', ...args], options, (err, stdout, stderr) => {
      resolve({ code: err === null ? 0 : Number(err.code ?? -1), stdout, stderr });
    });
  });
}

describe('egg-socket.io routes', () => {
  let directory = '';

  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-socket.io-routes-'));
  });
  afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

  /** Writes the files of an application. */
  function write(files: Record<string, string>): void {
    const all = {
      'package.json': JSON.stringify({ name: 'listed', egg: { framework: FRAMEWORK } }),
      'config/plugin.js': `exports.io = { enable: true, path: ${JSON.stringify(ROOT)} };`,
      'config/config.default.js': "exports.keys = 'x';",
      ...files,
    };
    for (const [name, text] of Object.entries(all)) {
      const file = path.join(directory, name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, text);
    }
  }

  it('should print the routes as a table, and as JSON', async () => {
    const { app } = await start('routes');
    const { baseDir } = app;
    const [table, json] = await Promise.all([run([baseDir]), run([baseDir, '--json'])]);
    assert.deepEqual(table, {
      code: 0,
      stderr: '',
      stdout: `/
  packet middleware: check
  say      chat.say
  checked  inline function
  limited  rateLimit → chat.leave

/admin
  kick    admin.user.kick
  leave   chat.leave
  inline  inline
`,
    });
    assert.deepEqual(JSON.parse(json.stdout), app.io.routes());
  });

  it('should neither listen nor connect to Redis, and run no hook after configDidLoad', async () => {
    const connections: unknown[] = [];
    const redis = createServer((socket) => {
      connections.push(socket);
      socket.destroy();
    });
    const port = await freePort();
    await new Promise<void>((resolve) => redis.listen(port, '127.0.0.1', resolve));
    write({
      'config/config.default.js': `exports.keys = 'x'; exports.io = { redis: { host: '127.0.0.1', port: ${port} } };`,
      'app.js': `module.exports = class {
        constructor(app) { this.app = app; }
        configDidLoad() { this.app.io.route('early', () => {}); }
        async didLoad() { require('node:fs').writeFileSync(__dirname + '/hook', ''); }
        async willReady() { require('node:fs').writeFileSync(__dirname + '/hook', ''); }
      };`,
      'app/router.js': `module.exports = (app) => {
        app.on('server', () => require('node:fs').writeFileSync(__dirname + '/hook', ''));
        // Keeps a process alive.
        setInterval(() => {}, 1000);
        console.log('the application prints something');
        app.io.route('disconnect', () => {});
        app.io.route('say', { args: [] }, () => {});
      };`,
    });
    const { code, stdout, stderr } = await run([directory]);
    await new Promise((resolve) => redis.close(resolve));
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(
      stdout,
      '/\n  early       inline function\n  disconnect  inline function  (system event)\n  say         inline function  (schema)\n',
    );
    assert.deepEqual(connections, []);
    assert.deepEqual(
      ['hook', 'app/hook'].filter((name) => fs.existsSync(path.join(directory, name))),
      [],
    );
  });

  it('should say why it cannot load the application', async () => {
    const cases: Array<[files: Record<string, string>, message: RegExp]> = [
      [{ 'app/router.js': "module.exports = () => { throw new Error('broken router'); };" }, /Error: broken router\n/],
      [{ 'config/plugin.js': '' }, /the plugin io is missing: .* does not enable it in the environment local/],
      [
        { 'app/router.js': "module.exports = (app) => app.io.route('a', 'no.where');" },
        /can't find controller: no\.where/,
      ],
      [{ 'app/router.js': 'process.exit(3);' }, /its process has ended with exit code 3\n/],
      [{ 'app/router.js': "process.kill(process.pid, 'SIGKILL');" }, /its process has ended with SIGKILL\n/],
      [{ 'package.json': '{ "egg": { "framework": "no-framework" } }' }, /Cannot find module 'no-framework'/],
    ];
    for (const [files, message] of cases) {
      fs.rmSync(directory, { recursive: true, force: true });
      write(files);
      const { code, stdout, stderr } = await run([directory]);
      assert.match(stderr, message);
      assert.match(stderr, /^egg-socket\.io routes: can't load /);
      assert.deepEqual([code, stdout], [1, '']);
    }
  });

  it('should refuse a wrong call', async () => {
    for (const args of [['--what'], ['a', 'b'], [path.join(directory, 'missing')], [directory]]) {
      const { code, stderr } = await run(args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /^egg-socket\.io routes: .*\n\nUsage:/);
    }
    assert.match((await run(['--help'])).stdout, /^Usage: egg-socket\.io routes/);
  });
});
