// What clients can write into the log: one line for each cause, with the address of the client, whatever they send and however often.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Writable } from 'node:stream';
import type { Application, Context } from 'egg';
import { WebSocket } from 'ws';

import { clientAddress } from '../lib/client-address';
import { ClosedSessions } from '../lib/refused-requests';
import { mm, type Running } from './support/app';
import { type Inline, startInline } from './support/inline';
import { sendRaw } from './support/raw';
import { next, signal, within } from './support/wait';

/** How often a client repeats what it sends. */
const MANY = 2_000;
/** How many errors of one place are logged with their stacks. */
const STACKS = 20;

/** A logger of Egg. */
interface Logger {
  get(transport: 'file'): { _stream: Writable };
}

/** A line of the log, with the lines that belong to it. */
interface Entry {
  level: string;
  text: string;
  /** All of it, with what Egg's logger adds. */
  line: string;
}

interface Logged extends Running {
  /** Closes the application, and returns what it has logged since its boot. */
  stop(): Promise<{ web: Entry[]; errors: Entry[] }>;
}

describe('the log', () => {
  const directories: string[] = [];
  after(() => {
    for (const directory of directories) rmSync(directory, { recursive: true });
  });

  /** Starts an application with log files of its own. */
  async function start({ config = {}, ...inline }: Inline): Promise<Logged> {
    const dir = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-logs-'));
    directories.push(dir);
    const running = await startInline({ ...inline, config: { logger: { dir, consoleLevel: 'NONE' }, ...config } });
    const stop = async () => {
      // Egg does not wait until the files are written.
      const { coreLogger, errorLogger } = (running.app as never as { loggers: Record<string, Logger> }).loggers;
      const written = [coreLogger, errorLogger].map((logger) => next(logger!.get('file')._stream, 'finish'));
      await running.close();
      await Promise.all(written);
      const read = (file: string) => entries(readFileSync(path.join(dir, file), 'utf8'));
      const isBoot = ({ text }: Entry) => /namespaces: |\[egg:/.test(text);
      return { web: read('egg-web.log').filter((entry) => !isBoot(entry)), errors: read('common-error.log') };
    };
    return { ...running, stop };
  }

  function entries(log: string): Entry[] {
    return log
      .split(/^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} )/m)
      .filter((entry) => entry.includes('egg-socket.io'))
      .map((entry) => {
        const [, level, text] = /^\S+ \S+ (\w+) \d+ (?:\[-\/\S+ GET \S+\] )?(.*)$/s.exec(entry) ?? [];
        return { level: level as string, text: text as string, line: entry };
      });
  }

  const texts = (all: Entry[]) => all.map(({ level, text }) => `${level} ${text.trim()}`);

  /** Sends texts over a WebSocket, and waits for as many answers that match. */
  async function flood({ url }: Running, texts: string[], answer: RegExp, count = texts.length): Promise<void> {
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    const done = signal();
    let answers = 0;
    ws.on('error', () => {});
    ws.on('message', (data) => {
      const text = String(data);
      if (text.startsWith('0')) ws.send('40');
      if (text.startsWith('40{')) for (const each of texts) ws.send(each);
      if (answer.test(text) && ++answers === count) done.resolve();
    });
    await within(`${count} answers like ${answer}`, done.promise).finally(() => ws.terminate());
  }

  const repeat = (text: (i: number) => string) => Array.from({ length: MANY }, (_, i) => text(i));

  it('should have one line for the refused requests of each cause, with advice', async () => {
    const running = await start({});
    const { port, stop } = running;
    const headers = `Host: localhost\r\n`;
    const heads = [
      (i: number) => `GET /socket.io/?EIO=4&transport=polling&sid=made-up-${i} HTTP/1.1\r\n${headers}`,
      () => `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n${headers}`,
      () => `OPTIONS /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n${headers}Origin: http://page.example\r\n`,
      () => `GET /socket.io/?transport=polling HTTP/1.1\r\n${headers}`,
      () => `GET /socket.io/ HTTP/1.1\r\n${headers}`,
      () => `GET /socket.io/socket.io.js HTTP/1.1\r\n${headers}`,
      () => `GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\n${headers}`,
      (i: number) => `GET /socket.io/?EIO=4&transport=pigeon-${i} HTTP/1.1\r\n${headers}`,
    ];
    for (const head of heads) await pipeline(port, repeat(head));
    // A WebSocket without a query.
    const upgrade =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n';
    await sendRaw(port, `GET /socket.io/?transport=websocket HTTP/1.1\r\n${headers}${upgrade}\r\n`);
    const { web, errors } = await stop();
    const from = '\\((GET|OPTIONS) /socket\\.io/ from 127\\.0\\.0\\.1\\)';
    const expected = [
      `refused: Session ID unknown ${from}\\. The connection or its worker has closed`,
      `refused: Bad request ${from}\\. The request has no Upgrade header: a proxy has removed it`,
      `refused: Bad handshake method ${from}\\. It is a preflight .*config\\.io\\.init\\.cors`,
      `refused: Unsupported protocol version ${from}\\. .*plain WebSocket client .*EIO=4&transport=websocket`,
      `refused: Transport unknown ${from}\\. .*plain WebSocket client .*EIO=4&transport=websocket`,
      'refused: Transport unknown \\(GET /socket\\.io/socket\\.io\\.js from .*config\\.io\\.init\\.serveClient = true',
      `refused: Unsupported protocol version ${from}\\. .*config\\.io\\.init\\.allowEIO3 = true`,
      `refused: Transport unknown ${from}$`,
    ];
    const lines = texts(web);
    for (const [i, each] of expected.entries()) {
      assert.match(lines[i] as string, new RegExp(`^WARN \\[egg-socket\\.io\\] ${each}`));
    }
    // The application has closed: the repeats are summed up.
    const sums = lines.slice(expected.length);
    assert.equal(sums.length, expected.length, sums.join('\n'));
    for (const sum of sums)
      assert.match(sum, /^WARN \[egg-socket\.io\] (1999|2000) more in the last 60 s of: refused: /);
    assert.deepEqual(errors, []);
  });

  it('should say that a function of app.io.engine.use() has failed', async () => {
    const running = await start({});
    running.app.io.engine.use((_req: unknown, _res: unknown, go: (err: Error) => void) => go(new Error('broken')));
    for (const transport of ['polling', 'websocket'])
      await sendRaw(running.port, `GET /socket.io/?EIO=4&transport=${transport} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const [first, sum, ...others] = texts((await running.stop()).web);
    assert.match(
      first as string,
      /^WARN .*refused: Bad request .*from 127\.0\.0\.1\)\. A function of app\.io\.engine\.use\(\)/,
    );
    assert.match(sum as string, /1 more in the last/);
    assert.deepEqual(others, []);
  });

  it('should have one line for each namespace that refuses clients, and one for those that do not exist', async () => {
    const running = await start({
      io: { namespace: { '/closed': { connectionMiddleware: ['guard'] } } },
      middleware: { guard: (ctx) => ctx.throw(401, 'log in first', { code: 'LOGIN' }) },
      router: (app) => app.io.of('/room/:id'),
    });
    await flood(
      running,
      repeat((i) => `40/nowhere-${i},`),
      /^44\/nowhere-\d+,{"message":"Invalid namespace"}/,
    );
    await flood(
      running,
      repeat(() => '40/closed,'),
      /^44\/closed,{"message":"log in first"/,
    );
    await flood(
      running,
      repeat((i) => `40/room/%z${i},`),
      /^44\/room\//,
    );
    const { web, errors } = await running.stop();
    const lines = texts(web);
    assert.equal(lines.length, 6, lines.join('\n'));
    const [unknown, closed, malformed, ...sums] = lines as [string, string, string];
    assert.match(
      unknown,
      /^WARN .*refused: there is no such namespace.* \(namespace '\/nowhere-0', client 127\.0\.0\.1\)$/,
    );
    assert.match(
      closed,
      /^INFO \[egg-socket\.io\] 401 LOGIN: log in first \(connection to \/closed, client 127\.0\.0\.1\)$/,
    );
    assert.match(
      malformed,
      /^WARN .*refused: Invalid namespace: URI malformed \(namespace '\/room\/%z0', client 127\.0\.0\.1\)$/,
    );
    for (const sum of sums) assert.match(sum, / 19\d\d more in the last 60 s of: /);
    assert.deepEqual(errors, []);
  });

  it('should have one line for broken packets and one for messages that are too long', async () => {
    const { stop, ...running } = await start({ io: { init: { maxHttpBufferSize: 1_000 } } });
    const { port, url } = running;
    for (let i = 0; i < 50; i++) {
      const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
      ws.on('message', (data) => {
        if (String(data).startsWith('0')) ws.send('40');
        else if (String(data).startsWith('40')) ws.send(i % 2 ? '42{' : `42["${'x'.repeat(2_000)}"]`);
      });
      await next(ws, 'close');
    }
    const opened = await sendRaw(port, 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const sid = /"sid":"([^"]+)"/.exec(opened)?.[1];
    const body = 'x'.repeat(2_000);
    const posted = await sendRaw(
      port,
      `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n${body}`,
    );
    assert.match(posted, /^HTTP\/1\.1 413/);
    const { web, errors } = await stop();
    const [tooLong, broken, ...sums] = texts(web);
    assert.match(
      tooLong as string,
      /^WARN .*refused: a message is longer than 1000 bytes \(from 127\.0\.0\.1\)\. config\.io\.init\.maxHttpBufferSize/,
    );
    assert.match(
      broken as string,
      /^WARN .*a packet cannot be decoded: invalid payload \(namespace \/, client 127\.0\.0\.1\)/,
    );
    assert.deepEqual(
      sums.map((sum) => /(\d+) more in/.exec(sum)?.[1]),
      ['25', '24'],
    );
    assert.deepEqual(errors, []);
  });

  it('should have one line for the events of each cause', async () => {
    const running = await start({
      io: { ack: 'auto', ackTimeout: 20, drain: false, namespace: { '/': { packetMiddleware: ['a'] } } },
      middleware: { a: (ctx, next) => (ctx.packet[0] === 'lost' ? new Promise(() => {}) : next()) },
      router: (app) =>
        app.io.route({
          forbidden: (ctx) => ctx.throw(403, `not yours: ${ctx.args[0]}`),
          invalid: (ctx) => ctx.throw(422, 'Validation Failed', { code: 'invalid_param', errors: [{ field: 'text' }] }),
          exposed: () => {
            throw Object.assign(new Error('full'), { expose: true, code: 'FULL' });
          },
          twice: (ctx) => {
            ctx.args[0](1);
            ctx.args[0](2);
          },
        }),
    });
    await flood(
      running,
      repeat((i) => `42${i}["nobody-${i}\\n"]`),
      /^43\d+\[{"error":{"message":"no route/,
    );
    await flood(
      running,
      repeat((i) => `42${i}["forbidden","${i}"]`),
      /^43\d+\[{"error":{"message":"not yours/,
    );
    await flood(
      running,
      repeat((i) => `42${i}["invalid"]`),
      /^43\d+\[{"error":{"message":"Validation Failed"/,
    );
    await flood(
      running,
      repeat((i) => `42${i}["exposed"]`),
      /^43\d+\[{"error":{"message":"full"/,
    );
    await flood(
      running,
      repeat((i) => `42${i}["twice"]`),
      /^43\d+\[1\]/,
    );
    await flood(
      running,
      repeat((i) => `42${i}["lost"]`),
      /^43\d+\[{"error":{"message":"no answer/,
    );
    const { web, errors } = await running.stop();
    const lines = texts(web);
    assert.equal(lines.length, 12, lines.join('\n'));
    const expected = [
      /^WARN \[egg-socket\.io\] no route for 'nobody-0\\n' in \/ \(client 127\.0\.0\.1\)$/,
      /^INFO \[egg-socket\.io\] 403: not yours: 0 \(event 'forbidden' in \/, client 127\.0\.0\.1\)$/,
      /^INFO \[egg-socket\.io\] 422 invalid_param: Validation Failed \[ \{ field: 'text' \} \] \(event 'invalid' in \/, client 127\.0\.0\.1\)$/,
      /^INFO \[egg-socket\.io\] FULL: full \(event 'exposed' in \/, client 127\.0\.0\.1\)$/,
      /^WARN \[egg-socket\.io\] a second answer to 'twice' in \/ is dropped: .* \(client 127\.0\.0\.1\)$/,
      /^WARN \[egg-socket\.io\] no answer to 'lost' in \/ in 20 ms \(client 127\.0\.0\.1\)$/,
    ];
    for (const [i, each] of expected.entries()) assert.match(lines[i] as string, each);
    for (const sum of lines.slice(6))
      assert.match(sum, /^(WARN|INFO) \[egg-socket\.io\] 1999 more in the last 60 s of: /);
    assert.deepEqual(errors, []);
  });

  it('should have faults of the application with stack, namespace and event, up to a number of each', async () => {
    const running = await start({
      io: { namespace: { '/': {}, '/closed': { connectionMiddleware: ['guard'] } } },
      middleware: {
        guard: () => {
          throw new Error('no database');
        },
      },
      router: (app) => {
        app.io.route('fail', (ctx) => {
          throw new TypeError(`no ${ctx.args[0]}`);
        });
        app.io.route('other', () => {
          throw Object.assign(new Error('upstream'), { status: 503, expose: false });
        });
        app.io.route('hidden', () => {
          throw Object.assign(new Error('a fault'), { status: 404, expose: false });
        });
        app.io.route('thrown', () => {
          throw 'a text';
        });
        app.io.route('frozen', () => {
          throw Object.freeze(new RangeError('frozen'));
        });
      },
    });
    const rare = ['other', 'hidden', 'thrown', 'frozen'];
    await flood(
      running,
      [...repeat((i) => `42["fail","${i}\\n    at made up (${i})"]`), ...rare.map((event) => `42["${event}"]`)],
      /^42\["error"/,
    );
    await flood(
      running,
      repeat(() => '40/closed,'),
      /^44\/closed/,
    );
    const { web, errors } = await running.stop();
    assert.deepEqual(texts(errors), texts(web));
    assert.ok(errors.every(({ level }) => level === 'ERROR'));
    const all = texts(errors);
    const fails = all.filter((text) => text.startsWith('ERROR nodejs.TypeError'));
    assert.equal(fails.length, STACKS);
    assert.match(
      fails[0] as string,
      /controller execute error: no 0\n.*\n {4}at .*logs\.test\.ts.*\negg-socket\.io: "event 'fail' in \/, client 127\.0\.0\.1"/s,
    );
    for (const event of rare) {
      assert.equal(
        all.filter((text) => text.includes(`egg-socket.io: "event '${event}' in /, client 127.0.0.1"`)).length,
        1,
      );
    }
    const refusals = all.filter((text) => text.includes('egg-socket.io: "connection to /closed, client 127.0.0.1"'));
    assert.equal(refusals.length, STACKS);
    assert.match(refusals[0] as string, /^ERROR nodejs\.Error: no database\n {4}at .*logs\.test\.ts/);
    const sums = all.filter((text) => text.includes(' more in the last 60 s of: '));
    assert.match(
      sums[0] as string,
      /1980 more .* TypeError: \[egg-socket\.io\] controller execute error: no 1999 .*event 'fail' in \/, client/,
    );
    assert.match(sums[1] as string, /1980 more .* Error: no database \(connection to \/closed, client 127\.0\.0\.1\)/);
    assert.equal(all.length, 2 * STACKS + rare.length + 2);
  });

  it('should have the address that the proxy has sent, if config.proxy is set', async () => {
    const running = await start({
      io: { ack: 'auto', namespace: { '/closed': { connectionMiddleware: ['guard'] } } },
      middleware: { guard: (ctx) => ctx.throw(401, 'log in first') },
      config: { proxy: true },
    });
    const { url, connect, stop } = running;
    const headers = { 'x-forwarded-for': '203.0.113.7' };
    assert.equal((await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=made-up`, { headers })).status, 400);
    const client = await connect('/', { extraHeaders: headers } as never);
    await client.emitWithAck('nobody');
    await next(client.io.socket('/closed'), 'connect_error');
    await next(client.io.socket('/nowhere'), 'connect_error');
    const { web } = await stop();
    const lines = texts(web);
    assert.equal(lines.length, 4, lines.join('\n'));
    for (const line of lines) assert.match(line, /203\.0\.113\.7/);
  });

  it('should not have the query of a handshake in a line without a stack, nor in a sum', async () => {
    const running = await start({
      io: { ack: 'auto', namespace: { '/closed': { connectionMiddleware: ['guard'] } } },
      middleware: { guard: (ctx) => ctx.throw(401, 'log in first') },
      router: (app) => app.io.route('forbidden', (ctx) => ctx.throw(403, 'not yours')),
    });
    const client = await running.connect('/', { query: { token: 'secret' } });
    for (let i = 0; i < 2; i++) {
      await client.emitWithAck('forbidden');
      await client.emitWithAck('nobody');
      await next(client.io.socket(i ? '/closed' : '/nowhere'), 'connect_error');
    }
    const { web } = await running.stop();
    assert.equal(web.length, 6, texts(web).join('\n'));
    assert.deepEqual(
      web.filter(({ line }) => line.includes('secret')),
      [],
    );
  });

  it('should have the same lines in each test of an application', async () => {
    mm.env('unittest');
    const { app } = await startInline({
      io: { ack: 'auto', namespace: { '/closed': { connectionMiddleware: ['guard'] } } },
      middleware: { guard: (ctx) => ctx.throw(401, 'log in first') },
      router: (app) =>
        app.io.route('fail', () => {
          throw new Error('broken');
        }),
    });
    const tested = app as Application & Record<'mockLog' | 'expectLog' | 'notExpectLog', (...args: unknown[]) => void>;
    for (let test = 0; test < 2; test++) {
      tested.mockLog('coreLogger');
      tested.notExpectLog('log in first', 'coreLogger');
      await app.ioClient.expectRefused('/closed', /log in first/);
      tested.expectLog('401: log in first (connection to /closed, client 127.0.0.1)', 'coreLogger');
      const client = await app.ioClient('/');
      await client.emitWithAck('fail');
      tested.expectLog(/nodejs\.Error: .*broken\n.*event 'fail' in \//s, 'coreLogger');
      await client.emitWithAck('nobody');
      tested.expectLog("no route for 'nobody' in /", 'coreLogger');
      await mm.restore();
    }
  });

  it('should not send to clients what is logged of an error', async () => {
    const { connect, app } = await startInline({
      io: { ack: 'auto', onerror: (err) => ({ ...err, message: err.message }) },
      router: (app) =>
        app.io.route('fail', (_ctx: Context) => {
          throw new Error('broken');
        }),
    });
    mm(app.coreLogger, 'error', () => {});
    assert.deepEqual(await (await connect()).emitWithAck('fail'), { error: { message: 'broken' } });
  });
});

/** Sends requests over one connection, and waits for all responses. */
async function pipeline(port: number, heads: string[]): Promise<void> {
  const socket = connectTcp(port, '127.0.0.1');
  const done = signal();
  let read = '';
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    read += chunk.toString('latin1');
    if (read.split('HTTP/1.1 ').length > heads.length) done.resolve();
  });
  for (const head of heads) socket.write(`${head}\r\n`);
  await within(`${heads.length} responses to ${heads[0]}`, done.promise).finally(() => socket.destroy());
}

describe('clientAddress', () => {
  it('should return an IPv4 address in one form, whatever it is read from', () => {
    const app = { request: {} } as Application;
    assert.equal(clientAddress(app, undefined, '::ffff:203.0.113.7'), '203.0.113.7');
    assert.equal(clientAddress(app, undefined, '2001:db8::1'), '2001:db8::1');
    assert.equal(clientAddress(app, undefined), 'unknown');
  });
});

describe('ClosedSessions', () => {
  it('should remember sessions for half a minute, and thousands at most', () => {
    let now = 0;
    mm(performance, 'now', () => now);
    const closed = new ClosedSessions();
    closed.add('first');
    now += 29_000;
    assert.ok(closed.has('first'));
    assert.ok(!closed.has('other'));
    assert.ok(!closed.has(undefined));
    now += 32_000;
    assert.ok(!closed.has('first'));
    closed.add('second');
    for (let i = 0; i < 10_000; i++) closed.add(`session ${i}`);
    assert.ok(closed.has('session 9999'));
    assert.ok(!closed.has('second'));
  });
});
