// An application in TypeScript, loaded from its sources as in development.
import assert from 'node:assert/strict';
import { type Running, refused, start } from './support/app';
import { DEADLINE, next } from './support/wait';

describe('an application in TypeScript', () => {
  let running: Running;

  before(async () => {
    running = await start('ts-app');
  });

  const connect = (nsp = '/') => running.connect(nsp, { query: { token: running.app.config.keys } });

  it('should load app/io/**/*.ts', () => {
    const { controller, middleware } = running.app.io;
    assert.deepEqual(Object.keys(controller).sort(), ['admin', 'functions', 'nsp', 'talk']);
    assert.deepEqual(Object.keys(middleware).sort(), ['auth', 'packet']);
  });

  it('should call a class that is the default export of a file, with a service and the ack', async () => {
    const client = await connect();
    const done = next(client, 'done');
    assert.deepEqual(await client.timeout(DEADLINE).emitWithAck('say', { text: 'hi' }), {
      label: 'room of hi',
      user: 'user of say',
      everybody: true,
      known: true,
    });
    assert.deepEqual(await done, ['say']);
  });

  it('should call a class in module.exports', async () => {
    const [from, to] = [await connect(), await connect()];
    const heard = next(to, 'exchange');
    from.emit('exchange', { target: to.id, payload: 'hello' });
    assert.deepEqual(await heard, [{ client: from.id, payload: 'hello' }]);
  });

  it('should call an object of async functions', async () => {
    const client = await connect();
    const heard = next(client, 'hailed');
    client.emit('hail', 1);
    assert.deepEqual(await heard, [true, 1]);
  });

  it('should call app => class extends app.Controller in a folder, in its namespace', async () => {
    const client = await connect('/admin');
    const heard = new Promise<unknown[]>((resolve) =>
      client.emit('kick', 'bob', (...args: unknown[]) => resolve(args)),
    );
    assert.deepEqual(await heard, ['/admin', 'bob']);
  });

  it('should run the route of a system event', async () => {
    const [leaving, staying] = [await connect(), await connect()];
    const { id } = leaving;
    const heard = next(staying, 'left');
    leaving.disconnect();
    assert.deepEqual(await heard, [id, 'client namespace disconnect']);
  });

  it('should refuse a client if its middleware throws', async () => {
    const err = await refused(running.client('/', { query: { token: 'wrong' } }));
    assert.equal(err.message, 'who are you?');
    assert.deepEqual(err.data, { token: 'wrong' });
  });

  it('should let an HTTP controller emit', async () => {
    const client = await connect();
    const heard = next(client, 'visited');
    const response = await fetch(`${running.url}/`);
    assert.equal(await response.text(), 'room of 127.0.0.1');
    assert.deepEqual(await heard, ['/']);
  });
});
