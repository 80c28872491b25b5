// The access log: config.io.accessLog.
import assert from 'node:assert/strict';
import { channel } from 'node:diagnostics_channel';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Application, Context } from 'egg';
import { Adapter } from 'socket.io-adapter';
import type { AccessEntry, IoConfig } from '../lib';
import { defaultLine } from '../lib/access-log';
import { logs, refused } from './support/app';
import { parity } from './support/clients';
import { bootError, startInline } from './support/inline';
import { signal, until } from './support/wait';

type Middleware = (ctx: Context, go: () => Promise<unknown>) => unknown;

/** Collects the lines of the access log. */
function linesOf(logger: { info(line: string): void }): string[] {
  const lines: string[] = [];
  logger.info = (line) => lines.push(line);
  return lines;
}

/** Replaces durations, which differ. */
const plain = (line: string) => line.replace(/\/[\d.]+ms /, '/0ms ');

const middleware: Record<string, Middleware> = {
  a: async (ctx, go) => {
    if (ctx.query.refuse) throw Object.assign(new Error('no'), { code: 'FORBIDDEN' });
    return go();
  },
  b: async (ctx, go) => {
    Object.assign(ctx, { tracer: { traceId: 'trace-1' } });
    const [event, , ack] = ctx.packet as [string, string, () => void];
    return event === 'stopped' ? ack() : go();
  },
};

const router = ({ io }: Application) => {
  const chat = io.of('/chat');
  chat.route('say', () => 'said');
  chat.route('broken', () => {
    throw new Error('broken');
  });
  chat.route('forbidden', () => {
    throw Object.assign(new Error('no'), { status: 403 });
  });
};

const CHAT: IoConfig = {
  ack: 'auto',
  namespace: { '/chat': { connectionMiddleware: ['a'], packetMiddleware: ['b'] } },
  user: () => 42,
};

const isOfChat = (line: string) => / \/chat\b/.test(line);

parity('config.io.accessLog', () => {
  it('should log a line for each connection, event and disconnect, without arguments', async () => {
    const { app, client, connect } = await startInline({ io: { ...CHAT, accessLog: true }, middleware, router });
    logs(app);
    const lines = linesOf(app.logger);
    await refused(client('/chat', { query: { refuse: '1' } }));
    const chat = await connect('/chat');
    const odd = `a\nb ${'x'.repeat(200)}`;
    for (const event of ['say', 'broken', 'forbidden', 'stopped', 'nobody', odd]) {
      await chat.emitWithAck(event, 'secret');
    }
    chat.disconnect();
    await until('the disconnect is logged', () => lines.filter(isOfChat).some((line) => line.includes(' DISCONNECT ')));
    const event = '[42/127.0.0.1/trace-1/0ms EVENT /chat';
    assert.deepEqual(lines.filter(isOfChat).map(plain), [
      '[-/127.0.0.1/-/0ms CONNECT /chat] refused: FORBIDDEN',
      '[42/127.0.0.1/-/0ms CONNECT /chat] admitted',
      `${event} say] ok`,
      `${event} broken] error Error`,
      `${event} forbidden] error 403`,
      `${event} stopped] swallowed`,
      `${event} nobody] no route`,
      `${event} "a\\nb ${'x'.repeat(96)}"] no route`,
      '[42/127.0.0.1/-/0ms DISCONNECT /chat] client namespace disconnect',
    ]);
    assert(!lines.join().includes('secret'));
  });

  it('should log what a function returns, on one line, and nothing if it returns no text', async () => {
    const entries: AccessEntry[] = [];
    const accessLog = (entry: AccessEntry) => {
      entries.push(entry);
      if (entry.kind !== 'event') return false;
      if (entry.event === 'broken') throw new Error('accessLog throws');
      return `${entry.event}\n${entry.ctx?.args[0]} ${entry.duration >= 0} ${'x'.repeat(2_000)}`;
    };
    const { app, connect } = await startInline({ io: { ...CHAT, accessLog }, middleware, router });
    const lines = linesOf(app.logger);
    const thrown = signal<Error>();
    logs(app);
    app.logger.error = (err: Error) => thrown.resolve(err);
    const client = await connect('/chat');
    await client.emitWithAck('broken');
    await client.emitWithAck('say', 'an argument');
    await until('the line is logged', () => lines.length === 1);
    assert.match(lines[0] as string, /^say an argument true x+$/);
    assert.equal(lines[0]?.length, 1_000);
    assert.equal((await thrown.promise).message, 'accessLog throws');
    const broken = entries.filter(({ event }) => event === 'broken');
    assert.deepEqual(
      broken.map(({ error }) => String(error)),
      ['Error: broken'],
    );
  });
});

describe('config.io.accessLog', () => {
  it("should write lines without the URL of Egg's context, whose query may contain a secret", async () => {
    const file = path.join(await fs.mkdtemp(path.join(os.tmpdir(), 'egg-socket.io-access-')), 'access.log');
    try {
      const customLogger = { ioAccessLogger: { file, consoleLevel: 'NONE', buffer: false } };
      const { connect } = await startInline({
        io: { accessLog: true, ack: 'auto' },
        config: { customLogger },
        router: ({ io }) => io.route('say', () => 'said'),
      });
      const client = await connect('/', { query: { token: 'secret' } });
      await client.emitWithAck('say');
      client.disconnect();
      let text = '';
      await until('the disconnect is logged', async () => {
        text = await fs.readFile(file, 'utf8');
        return text.includes(' DISCONNECT ');
      });
      const lines = text.trim().split('\n');
      assert.equal(lines.length, 3);
      for (const line of lines) assert.match(line, / INFO \d+ \[-\/127\.0\.0\.1\/-\/[\d.]+ms [A-Z]+ \/( say)?\] /);
    } finally {
      await fs.rm(path.dirname(file), { recursive: true, force: true });
    }
  });

  it('should log that a line cannot be made, and not end the worker', async () => {
    const { app, connect } = await startInline({
      io: { accessLog: true, ack: 'auto' },
      router: ({ io }) =>
        io.route('fail', () => {
          throw Object.defineProperty(new Error('broken'), 'code', {
            get() {
              throw new Error('the code cannot be read');
            },
          });
        }),
    });
    logs(app);
    linesOf(app.logger);
    const logged = signal<Error>();
    app.logger.error = (err: Error) => logged.resolve(err);
    const client = await connect();
    client.emit('fail', () => {});
    assert.equal((await logged.promise).message, 'the code cannot be read');
  });

  it('should put names in quotes that imitate other parts of the line', () => {
    const entry = { kind: 'event', namespace: '/chat', outcome: 'ok', duration: 1, traceId: undefined } as const;
    const rest = { error: undefined, ctx: undefined };
    const line = (user: string, address: string, event: string) =>
      defaultLine({ ...entry, ...rest, user, address, event });
    assert.equal(line('a+b@x.cn', '::1', 'say'), '[a+b@x.cn/::1/-/1ms EVENT /chat say] ok');
    assert.equal(
      line('1/::1/-/1ms EVENT /chat say] ok', '::1 /', 'say] "'),
      '["1/::1/-/1ms EVENT /chat say] ok"/"::1 /"/-/1ms EVENT /chat "say] \\""] ok',
    );
  });

  it('should log nothing by default', async () => {
    const { app, connect } = await startInline({
      io: { ack: 'auto' },
      router: ({ io }) => io.route('say', () => 'said'),
    });
    const lines = linesOf(app.logger);
    const client = await connect();
    await client.emitWithAck('say');
    assert.deepEqual(lines, []);
  });

  it('should log clients that are refused before a connection chain', async () => {
    const { app, client, url } = await startInline({ io: { accessLog: true } });
    logs(app);
    const lines = linesOf(app.logger);
    await refused(client('/no where'));
    await fetch(`${url}/socket.io/?EIO=4&transport=smoke`);
    await until('both are logged', () => lines.length === 2);
    const reason = 'there is no such namespace. app.io.of() and config.io.namespace create it';
    assert.deepEqual(lines.map(plain), [
      `[-/127.0.0.1/-/0ms CONNECT "/no where"] refused: ${reason}`,
      '[-/127.0.0.1/-/0ms CONNECT -] refused: Transport unknown',
    ]);
  });

  it('should write to the logger ioAccessLogger if the application has one, and each application its own lines', async () => {
    const route = ({ io }: Application) => io.route('say', () => 'said');
    const other = await startInline({ io: { accessLog: true, ack: 'auto' }, router: route });
    const otherLines = linesOf(other.app.logger);
    const customLogger = { ioAccessLogger: { file: 'io-access.log' } };
    const own = await startInline({ io: { accessLog: true, ack: 'auto' }, config: { customLogger }, router: route });
    const lines = linesOf(own.app.getLogger('ioAccessLogger'));
    const client = await own.connect();
    await client.emitWithAck('say');
    await until('both lines are logged', () => lines.length === 2);
    await own.close();
    await (await other.connect()).emitWithAck('say');
    await until('both lines are logged', () => otherLines.length === 2);
    assert.equal(lines.filter((line) => line.includes('EVENT')).length, 1);
    assert.equal(otherLines.filter((line) => line.includes('EVENT')).length, 1);
  });

  it('should end with its application, also if an adapter of the application cannot be closed', async () => {
    class Broken extends Adapter {
      override close(): void {
        throw new Error('the adapter cannot be closed');
      }
    }
    const hasSubscribers = () => Boolean(channel('egg-socket.io:disconnect').hasSubscribers);
    for (const adapter of [Adapter, Broken]) {
      assert.equal(hasSubscribers(), false);
      const { app, close } = await startInline({ io: { accessLog: true, adapter: () => adapter } });
      assert.equal(hasSubscribers(), true);
      const { error: errors } = logs(app);
      await close();
      const expected =
        adapter === Broken ? [/the adapter of \/ cannot be closed: Error: the adapter cannot be closed/] : [];
      assert.equal(errors.length, expected.length);
      for (const [i, line] of expected.entries()) assert.match(String(errors[i]), line);
    }
    assert.equal(hasSubscribers(), false);
  });

  it('should refuse any other value', async () => {
    for (const accessLog of ['yes', async () => ''] as never[]) {
      assert.match((await bootError({ io: { accessLog } })).message, /config\.io\.accessLog .*\(entry\) => string/);
    }
  });
});
