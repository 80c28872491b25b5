// Controllers of applications for egg-socket.io 4, in all forms.
import assert from 'node:assert/strict';
import type { Socket } from 'socket.io-client';
import { logs, mm, type Running, start } from './support/app';
import { parity } from './support/clients';
import { DEADLINE, next, times } from './support/wait';

parity('legacy: controllers', () => {
  let running: Running;

  before(async () => {
    running = await start('legacy-controllers');
  });

  /** Emits an event and returns the acknowledgement of the controller. */
  const ask = (client: Socket, event: string, ...args: unknown[]) =>
    client.timeout(DEADLINE).emitWithAck(event, ...args);

  it('should load app.io.controller before app/router.js runs', () => {
    const { controllersAtRouter } = running.app as unknown as Record<string, unknown>;
    assert.deepEqual(controllersAtRouter, {
      class: 'function',
      method: 'function',
      nested: 'function',
      object: 'function',
      function: 'function',
      absent: 'undefined',
      http: 'function',
    });
  });

  it('should not change the controllers of HTTP', () => {
    const { controller } = running.app as unknown as { controller: object };
    assert.deepEqual(Object.keys(controller), ['home']);
    assert.deepEqual(Object.keys(running.app.io.controller).sort(), ['admin', 'chat', 'legacy', 'nsp', 'time']);
  });

  it('should call the method of app => class extends app.Controller, with a service and the ack', async () => {
    const client = await running.connect();
    assert.deepEqual(await ask(client, 'say', 'hello'), { message: 'hello', label: 'corner:lobby:function' });
  });

  it('should call a class with this.app, this.config, this.service, this.logger and this.ctx', async () => {
    const lines: string[] = [];
    mm(running.app.logger, 'info', (line: string) => void lines.push(line));
    const client = await running.connect('/', { query: { name: 'ann' }, extraHeaders: { 'x-legacy': 'yes' } });
    assert.deepEqual(await ask(client, 'members'), {
      shop: 'corner',
      sameApp: true,
      sameService: true,
      io: true,
      server: true,
      id: true,
      reqArgs: true,
      helper: 'hello',
      packet: 'members',
      query: 'ann',
      header: 'yes',
      path: '/socket.io/',
    });
    assert(lines.some((line) => line.includes('members of a controller')));
  });

  it('should create an instance of the class for each event', async () => {
    const clients = await Promise.all([running.connect(), running.connect()]);
    const answers = await Promise.all(
      clients.flatMap((client, i) => [0, 1].map((j) => ask(client, 'say', `${i}${j}`))),
    );
    assert.equal(answers.map(({ message }) => message).join(), '00,01,10,11');
  });

  it("should call a method of a subclass of require('egg').Controller, which emits to another client by its id", async () => {
    const [from, to] = [await running.connect(), await running.connect()];
    const heard = next(to, 'exchange');
    from.emit('exchange', { target: to.id, payload: { text: 'hi' } });
    assert.deepEqual(await heard, [
      {
        meta: { timestamp: 1, client: from.id, target: to.id },
        data: { action: 'exchange', payload: { text: 'hi' } },
      },
    ]);
  });

  it('should call a function of an object with the ctx as this and as its argument', async () => {
    const client = await running.connect();
    const heard = times(client, 'res', 3);
    client.emit('ping object', 'lobby');
    client.emit('nested object', 'a', 'b');
    client.emit('plain', 'c');
    const answers = (await heard).flat();
    assert.deepEqual(
      answers.filter((answer) => typeof answer === 'object'),
      [{ label: 'corner:lobby:function', same: true, shop: 'corner' }],
    );
    assert.deepEqual(
      answers.filter((answer) => typeof answer === 'string'),
      ['deep a b', 'plain c'],
    );
  });

  it('should call a file that exports an async function', async () => {
    const client = await running.connect();
    const heard = next(client, 'res');
    client.emit('time', 'day');
    assert.deepEqual(await heard, ['the time of day']);
  });

  it('should call a controller of a folder, in a namespace whose name lacks the slash', async () => {
    const [client, other] = [await running.connect('/admin'), await running.connect('/admin')];
    const outsider = await running.connect();
    outsider.on('kicked', () => assert.fail('the broadcast left its namespace'));
    const heard = Promise.all([next(client, 'done'), next(other, 'kicked')]);
    client.emit('kick', 'bob');
    assert.deepEqual(await heard, [['/admin'], ['bob']]);
    // An event for the outsider would have arrived before this acknowledgement.
    await ask(outsider, 'say', 'sentinel');
  });

  it('should emit the data or else the message of an error to the client, and log it with the prefix', async () => {
    const { error } = logs(running.app);
    const client = await running.connect();
    const heard = times(client, 'error', 2);
    client.emit('fail');
    client.emit('fail', 42);
    const message = '[egg-socket.io] controller execute error: out of stock';
    assert.deepEqual(await heard, [[message], [{ code: 42 }]]);
    assert.deepEqual(
      error.map((err) => err.message),
      [message, message],
    );
    assert.equal((await ask(client, 'say', 'still here')).message, 'still here');
  });

  it('should let an HTTP controller emit to a namespace', async () => {
    const clients = [await running.connect(), await running.connect()];
    const heard = Promise.all(clients.map((client) => next(client, 'news')));
    const response = await fetch(`${running.url}/announce?text=open`);
    assert.deepEqual(await response.json(), { announced: 'open' });
    assert.deepEqual(await heard, [['open'], ['open']]);
  });

  for (const name of ['middleware', 'controller'] as const) {
    it(`should return app.io.${name} for app.io.${name}s, with a deprecation warning`, () => {
      const messages: string[] = [];
      mm(running.app, 'deprecate', (message: string) => void messages.push(message));
      const io = running.app.io as unknown as Record<string, unknown>;
      assert.equal(io[`${name}s`], io[name]);
      assert.deepEqual(messages, [`app.io.${name}s has been deprecated, please use app.io.${name} instead!`]);
    });
  }
});
