// config.io.onerror: what the server sends to a client about an error.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Context } from 'egg';
import type { IoConfig } from '../lib';
import { logs, ROOT, refused } from './support/app';
import { assertRefusal, parity } from './support/clients';
import { bootError, startInline } from './support/inline';
import { next } from './support/wait';

const PREFIX = '[egg-socket.io] controller execute error: ';

class UserError extends Error {
  readonly code = 'USER';
}

/** Starts an application whose event `fail` throws the error that its argument names, and whose namespace /closed refuses all clients. */
const failing = (io: IoConfig) =>
  startInline({
    io: { ...io, namespace: { '/': {}, '/closed': { connectionMiddleware: ['guard'] } } },
    middleware: {
      guard: (ctx) => {
        throw ctx.query.user ? new UserError('go away') : new Error('database: secret');
      },
    },
    router: (app) =>
      app.io.route({
        fail: async (ctx: Context) => {
          throw ctx.args[0] === 'user' ? new UserError('no such room') : new Error('database: secret');
        },
        thrown: () => {
          throw { kind: 'no error' };
        },
      }),
  });

const hiding: IoConfig['onerror'] = (err) =>
  err instanceof UserError ? { message: err.message, code: err.code } : 'internal error';

/** Runs a code block of docs/en/errors.md and returns its exports. */
function documented(heading: string): { io: IoConfig } {
  const text = readFileSync(path.join(ROOT, 'docs/en/errors.md'), 'utf8');
  const code = /```js\n(.*?)```/s.exec(text.slice(text.indexOf(`## ${heading}`)))?.[1];
  const exports = {};
  new Function('exports', code!)(exports);
  return exports as { io: IoConfig };
}

describe('the recipe that hides internal errors', () => {
  it('should send only errors that are meant for clients', async () => {
    const { io } = documented('Hiding internal errors');
    const { connect } = await startInline({
      io: { ack: 'auto', ...io },
      router: (app) =>
        app.io.route({
          internal: async () => {
            throw new Error('database: secret');
          },
          missing: async (ctx) => ctx.throw(404, 'no such room', { code: 'NO_ROOM' }),
          broken: async (ctx) => ctx.throw(500, 'database: secret'),
        }),
    });
    const client = await connect();
    assert.deepEqual(await client.emitWithAck('internal'), { error: { message: 'Internal Server Error' } });
    assert.deepEqual(await client.emitWithAck('broken'), { error: { message: 'Internal Server Error' } });
    assert.deepEqual(await client.emitWithAck('missing'), { error: { message: 'no such room', code: 'NO_ROOM' } });
    client.emit('internal');
    assert.deepEqual(await next(client, 'error'), ['Internal Server Error']);
  });
});

parity('onerror', (kind) => {
  it('should determine the content of the event error, of acks and of connect_error', async () => {
    const { connect, client, app } = await failing({ ack: 'auto', onerror: hiding });
    const { error } = logs(app);
    const socket = await connect();
    assert.deepEqual(await socket.emitWithAck('fail'), { error: { message: 'internal error' } });
    assert.deepEqual(await socket.emitWithAck('fail', 'user'), { error: { message: 'no such room', code: 'USER' } });
    socket.emit('fail');
    assert.deepEqual(await next(socket, 'error'), ['internal error']);
    socket.emit('fail', 'user');
    assert.deepEqual(await next(socket, 'error'), [{ message: 'no such room', code: 'USER' }]);
    const hidden = await refused(client('/closed'));
    assertRefusal(hidden, 'internal error');
    const known = await refused(client('/closed', { query: { user: '1' } }));
    // An old client receives only the data, which includes the message.
    const data = kind.protocol === 3 ? { message: 'go away', code: 'USER' } : { code: 'USER' };
    assertRefusal(known, 'go away', data);
    // The original errors are logged.
    assert.equal(error.length, 6);
    assert(error.some((err) => err.message.endsWith('database: secret')));
  });

  it('should be called with the error as it was thrown, without the prefix of the log, and the context', async () => {
    const seen: [Error, Context][] = [];
    const onerror: IoConfig['onerror'] = (err, ctx) => {
      seen.push([err, ctx]);
      return err.message;
    };
    const { connect, client, app } = await failing({ onerror });
    const logged: string[] = [];
    app.coreLogger.error = (err: Error) => void logged.push(err.message);
    const socket = await connect();
    socket.emit('fail', 'user');
    assert.deepEqual(await next(socket, 'error'), ['no such room']);
    assert.deepEqual(logged, [`${PREFIX}no such room`]);
    assert(seen[0]![0] instanceof UserError);
    assert.deepEqual(seen[0]![1].packet, ['fail', 'user']);
    assert.equal(seen[0]![1].id, socket.id);
    await refused(client('/closed'));
    assert.equal(seen[1]![1].packet, undefined);
    assert.equal(seen[1]![1].path, '/socket.io/');
    socket.emit('thrown');
    await next(socket, 'error');
    assert.deepEqual((seen[2]![0] as Error & { thrown?: unknown }).thrown, { kind: 'no error' });
  });

  it('should hide the error if it returns nothing, throws, or returns a value that cannot be sent', async () => {
    const saying = async (onerror: NonNullable<IoConfig['onerror']>) => {
      const { connect, client, app } = await failing({ ack: 'auto', onerror });
      const { error } = logs(app);
      const socket = await connect();
      const ack = await socket.emitWithAck('fail');
      socket.emit('fail');
      const [heard] = await next(socket, 'error');
      const { message } = await refused(client('/closed'));
      return { ack: ack.error, heard, message, logged: error.length };
    };
    const internal = { ack: { message: 'internal error' }, heard: 'internal error', message: 'internal error' };
    assert.deepEqual(await saying(() => undefined), { ...internal, logged: 3 });
    // Its own error is logged as well.
    const throwing = () => {
      throw new Error('in onerror');
    };
    assert.deepEqual(await saying(throwing), { ...internal, logged: 6 });
    const circle: Record<string, unknown> = {};
    circle.data = circle;
    assert.deepEqual(await saying(() => circle), {
      ack: { message: 'error' },
      heard: 'internal error',
      message: 'error',
      logged: 6,
    });
  });

  it('should send an object without a message as data', async () => {
    const { connect, client } = await failing({ ack: 'auto', onerror: () => ({ status: 500 }) });
    const socket = await connect();
    assert.deepEqual(await socket.emitWithAck('fail'), { error: { message: 'error', data: { status: 500 } } });
    socket.emit('fail');
    assert.deepEqual(await next(socket, 'error'), [{ status: 500 }]);
    assertRefusal(await refused(client('/closed')), 'error', { status: 500 });
  });

  it('should send only the message, code, data and errors of an error that it returns', async () => {
    const secret = Object.assign(new Error('told'), { code: 'C', sql: 'SELECT' });
    const { connect } = await failing({ ack: 'auto', onerror: () => secret });
    const socket = await connect();
    assert.deepEqual(await socket.emitWithAck('fail'), { error: { message: 'told', code: 'C' } });
    socket.emit('fail');
    assert.deepEqual(await next(socket, 'error'), [{ message: 'told', code: 'C' }]);
  });

  it('should ignore values that are neither strings nor objects, or that cannot be read', async () => {
    const unreadable = Object.defineProperty(new Error('x'), 'data', {
      get: () => {
        throw new Error('in the getter');
      },
    });
    const rejects = () => Promise.reject(new Error('rejected'));
    for (const onerror of [rejects, () => () => 'called', () => unreadable] as Array<() => never>) {
      const { connect, client, app } = await failing({ ack: 'auto', onerror });
      const { error } = logs(app);
      const socket = await connect();
      assert.deepEqual(await socket.emitWithAck('fail'), { error: { message: 'internal error' } });
      socket.emit('fail');
      assert.deepEqual(await next(socket, 'error'), ['internal error']);
      assert.equal((await refused(client('/closed'))).message, 'internal error');
      assert(error.some(({ message }) => /config\.io\.onerror|in the getter/.test(message)));
    }
  });

  it('should fail the boot if it is not a plain function', async () => {
    for (const onerror of ['hide', async () => 'x']) {
      assert.match(
        (await bootError({ io: { onerror: onerror as never } })).message,
        /config\.io\.onerror.*plain function/,
      );
    }
  });
});
