// Malformed and malicious packets. The server answers or disconnects the client; other clients and the worker are not affected.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { WebSocket } from 'ws';
import { logs, refused } from './support/app';
import { startInline } from './support/inline';
import { next, signal, until, within } from './support/wait';

/** An application with a packet middleware and a route, a bystander connected to it, and raw connections to it. */
async function target() {
  const seen: unknown[] = [];
  const running = await startInline({
    io: { init: { maxHttpBufferSize: 10_000 }, namespace: { '/': { packetMiddleware: ['a'] }, '/chat': {} } },
    middleware: {
      a: async (ctx, next) => {
        seen.push(ctx.packet[0]);
        await next();
      },
    },
    router: (app) => {
      app.io.route('ping', (ctx) => ctx.args[0]('pong'));
      app.io.route('merge', (ctx) => ctx.args[1](Object.assign({}, ctx.args[0])));
    },
  });
  const { error, warn } = logs(running.app);
  const bystander = await running.connect();
  bystander.on('error', (err) => assert.fail(`the bystander heard ${err}`));
  bystander.on('disconnect', () => assert.fail('the bystander was disconnected'));
  return {
    ...running,
    seen,
    error,
    warn,
    /** Proves that the worker runs, and that other clients are not affected. */
    async unharmed() {
      assert.equal(await within('the answer to a bystander', bystander.emitWithAck('ping')), 'pong');
      assert.equal(await within('the answer to a newcomer', (await running.connect()).emitWithAck('ping')), 'pong');
      bystander.removeAllListeners();
    },
    /** A WebSocket that has opened an Engine.IO connection and joined `/`. */
    async raw() {
      const ws = new WebSocket(`${running.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
      const closed = new Promise<void>((resolve) => ws.on('close', () => resolve()));
      const joined = signal();
      ws.on('error', () => {});
      ws.on('message', (data) => {
        const text = String(data);
        if (text.startsWith('0')) ws.send('40');
        if (text.startsWith('40')) joined.resolve();
      });
      await within('a raw connection', joined.promise);
      return { ws, closed: within('the end of the raw connection', closed) };
    },
  };
}

describe('hostile clients', () => {
  const malformed: [string, string | Buffer][] = [
    ['no JSON', '42{'],
    ['no array', '42{"a":1}'],
    ['an empty array', '42[]'],
    ['an event that is an object', '42[{"toString":1}]'],
    ['an event that is null', '42[null]'],
    ['a reserved event: disconnect', '42["disconnect","forged"]'],
    ['a reserved event: disconnecting', '42["disconnecting","forged"]'],
    ['a reserved event: connect', '42["connect"]'],
    ['a reserved event: newListener', '42["newListener"]'],
    ['an unknown packet type', '49["x"]'],
    ['a malformed ack that the server did not ask for', '43x[]'],
    ['another packet instead of the announced attachments', '451-["x",{"_placeholder":true,"num":0}]'],
    ['a placeholder out of range', '451-["x",{"_placeholder":true,"num":7}]'],
    ['too many attachments', '45999999999-["x"]'],
    ['an unexpected attachment', Buffer.from([4, 5, 6])],
    ['a second connect', '40'],
    ['a connect with a broken payload', '40/chat,{'],
    ['an unknown Engine.IO packet', '9'],
    ['nothing at all', ''],
    ['deeply nested JSON', `42["x",${'['.repeat(4000)}${']'.repeat(4000)}]`],
  ];
  for (const [title, data] of malformed) {
    it(`should disconnect or ignore a client that sends ${title}`, async () => {
      const { raw, unharmed, seen } = await target();
      const { ws, closed } = await raw();
      ws.send(data);
      // If the client is still connected, it sends one more event, and a malformed packet for which it is disconnected.
      ws.send('42["x"]');
      ws.send('42{');
      await closed;
      assert(!seen.some((event) => typeof event !== 'string' && typeof event !== 'number'));
      await unharmed();
    });
  }

  for (const [title, data, reason] of [
    ['malformed', '42{', 'invalid payload'],
    ['empty', '4', 'empty packet'],
  ] as const) {
    it(`should log a packet that is ${title}`, async () => {
      const { raw, unharmed, error, warn } = await target();
      const { ws, closed } = await raw();
      ws.send(data);
      await closed;
      await until('it is logged', () => warn.length === 1);
      assert.match(
        warn[0],
        new RegExp(`a packet cannot be decoded: ${reason} \\(namespace /, client 127\\.0\\.0\\.1\\)`),
      );
      assert.deepEqual(error, []);
      await unharmed();
    });
  }

  it('should close a connection whose payload exceeds maxHttpBufferSize, over WebSocket and long-polling', async () => {
    const { raw, unharmed, url, seen } = await target();
    const { ws, closed } = await raw();
    ws.send(`42["big","${'x'.repeat(20_000)}"]`);
    await closed;
    const endpoint = `${url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(endpoint)).text()).slice(1));
    const body = `42["big","${'x'.repeat(20_000)}"]`;
    const status = await fetch(`${endpoint}&sid=${sid}`, { method: 'POST', body }).then(
      (response) => response.status,
      () => 'closed',
    );
    assert(status === 413 || status === 'closed', String(status));
    assert(!seen.includes('big'));
    await unharmed();
  });

  it('should treat __proto__ in a payload as data', async () => {
    const { raw, unharmed, connect } = await target();
    const { ws, closed } = await raw();
    ws.send('421["merge",{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}]');
    const answer = await new Promise<string>((resolve) => ws.on('message', (data) => resolve(String(data))));
    assert.match(answer, /^431\[/);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
    ws.close();
    await closed;
    await connect();
    await unharmed();
  });

  it('should treat __proto__ and similar names as names of events', async () => {
    const { connect, unharmed, seen } = await target();
    const client = await connect();
    const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', '__defineGetter__'];
    for (const name of names) client.emit(name, { __proto__: null, x: 1 });
    assert.equal(await client.emitWithAck('ping'), 'pong');
    assert.deepEqual(seen, [...names, 'ping']);
    await unharmed();
  });

  it('should refuse a client of an unknown namespace, whatever its name', async () => {
    const { client, unharmed } = await target();
    for (const name of ['/nowhere', '/__proto__', '/constructor', `/${'x'.repeat(2000)}`, '/a b', '/消息']) {
      assert.match((await refused(client(name))).message, /Invalid namespace/);
    }
    await unharmed();
  });

  it('should refuse and log invalid handshakes, with advice for old clients', async () => {
    const { url, unharmed, warn } = await target();
    const status = async (query: string, init?: RequestInit) =>
      (await fetch(`${url}/socket.io/?${query}`, init)).status;
    assert.equal(await status('EIO=4&transport=polling&sid=stolen'), 400);
    assert.equal(await status('EIO=4&transport=pigeon'), 400);
    assert.equal(await status('EIO=4&transport=polling', { method: 'DELETE' }), 400);
    assert.equal(await status('EIO=3&transport=polling'), 400);
    await until('all are logged', () => warn.length === 4);
    assert.match(warn[0], /refused: Session ID unknown/);
    assert(!warn.some((line) => line.includes('stolen')), 'a session id is a secret');
    assert.match(warn[3], /Unsupported protocol version.*config\.io\.init\.allowEIO3 = true/);
    await unharmed();
  });

  it('should survive clients that close their connection without notice', async () => {
    const { raw, unharmed, app } = await target();
    const all = await Promise.all(Array.from({ length: 20 }, () => raw()));
    for (const { ws } of all) {
      ws.send('421["ping"]');
      ws.send('40/chat,');
      ws.terminate();
    }
    await Promise.all(all.map(({ closed }) => closed));
    await until('only the bystander is left', () => app.io.of('/').sockets.size === 1);
    assert.equal(app.io.of('/chat').sockets.size, 0);
    await unharmed();
  });

  it('should survive malformed headers', async () => {
    const { connect, unharmed } = await target();
    const extraHeaders = {
      cookie: 'EGG_SESS=%E0%A4%A; EGG_SESS.sig=x; =; ;;; __proto__=1',
      'x-forwarded-for': ',,,',
      'user-agent': 'x'.repeat(4000),
    };
    const client = await connect('/', { extraHeaders });
    assert.equal(await client.emitWithAck('ping'), 'pong');
    const left = next(client, 'disconnect');
    client.disconnect();
    await left;
    await unharmed();
  });
});

it('docs/en/security.md should name tests that exist', () => {
  const page = readFileSync(path.join(__dirname, '../docs/en/security.md'), 'utf8');
  const rows = page.split('\n').filter((line) => /^\| .*test\.ts` \|$/.test(line));
  assert(rows.length > 20, `${rows.length}`);
  for (const row of rows) {
    for (const [, file] of row.matchAll(/`([\w-]+\.test\.ts)`/g)) assert(existsSync(path.join(__dirname, file!)), file);
  }
});
