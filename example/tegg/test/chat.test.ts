import assert from 'node:assert/strict';
import { app } from '@eggjs/mock/bootstrap';
import { MessageStore } from '../app/modules/chat/MessageStore.ts';
import { Visit } from '../app/modules/chat/Visit.ts';

describe('ChatController', () => {
  it('should pass arguments, the socket and injected objects, and answer with the result', async () => {
    const ann = await app.ioClient('/chat', { auth: { name: 'ann' } });
    const bob = await app.ioClient('/chat', { auth: { name: 'bob' } });
    await ann.expect('said', 'server', 'bob has come');
    assert.equal(await bob.emitWithAck('say', 'hello'), 1);
    await ann.expect('said', 'bob', 'hello');
    assert.deepEqual(await ann.emitWithAck('history'), ['bob: hello']);
    bob.disconnect();
    await ann.expect('said', 'server', 'bob has left: client namespace disconnect');
  });

  it('should run middleware that is a tegg prototype, and that of @Middleware()', async () => {
    await app.ioClient.expectRefused('/chat', 'who are you?');
    const ann = await app.ioClient('/chat', { auth: { name: 'ann' } });
    assert.deepEqual(await ann.emitWithAck('say', ''), { error: { message: 'say something' } });
  });

  it('should destroy the objects of an event when it has ended, and those of a connection when the client has left', async () => {
    // @eggjs/mock has scopes for the test.
    const before = Visit.open;
    const ann = await app.ioClient('/chat', { auth: { name: 'ann' } });
    assert.ok(Visit.open > before);
    await ann.emitWithAck('say', 'hello');
    await ann.emitWithAck('history');
    // The object of the connection chain is left.
    while (Visit.open > before + 1) await new Promise(setImmediate);
    ann.disconnect();
    while (Visit.open > before) await new Promise(setImmediate);
  });

  it('should list the routes of decorators', () => {
    const [chat] = app.io.routes().filter(({ namespace }) => namespace === '/chat');
    assert.deepEqual(chat?.connectionMiddleware, ['Login']);
    assert.deepEqual(
      chat?.routes.map(({ event, middleware, controller }) => [event, ...middleware, controller]),
      [
        ['connect', 'ChatController.welcome'],
        ['say', 'notEmpty', 'ChatController.say'],
        ['history', 'ChatController.history'],
        ['disconnect', 'ChatController.goodbye'],
      ],
    );
  });

  it('should have the objects of modules in contexts of app/io', async () => {
    app.io.of('/modules').route('started', async (ctx) => {
      const store = (await ctx.getEggObject(MessageStore)) as MessageStore;
      const { chat } = ctx.module as unknown as { chat: { visit: Visit } };
      return [typeof chat.visit.started, Array.isArray(store.all())];
    });
    const client = await app.ioClient('/modules');
    assert.deepEqual(await client.emitWithAck('started'), ['number', true]);
  });
});
