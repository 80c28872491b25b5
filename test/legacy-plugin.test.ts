// Middleware and controllers of another plugin, and config.controller.supportParams.
import assert from 'node:assert/strict';
import { type Running, start } from './support/app';
import { parity } from './support/clients';
import { DEADLINE, next, until } from './support/wait';

parity('legacy: app/io of a plugin', () => {
  let running: Running;

  before(async () => {
    running = await start('legacy-plugin');
  });

  it('should load its files into app.io beside those of the application', () => {
    const { middleware, controller } = running.app.io;
    assert.deepEqual(Object.keys(middleware).sort(), ['greet', 'presence', 'presencePacket']);
    assert.deepEqual(Object.keys(controller).sort(), ['own', 'presence']);
  });

  it("should run the plugin's middleware if the application's configuration names it", async () => {
    const client = running.client();
    const [greeted] = await next(client, 'greet');
    assert.equal(greeted, true);
    const { present } = running.app as unknown as { present: Set<string> };
    assert.equal(present.size, 1);
    client.disconnect();
    await until('the plugin has seen it leave', () => present.size === 0);
  });

  it("should route to the plugin's controller, through its packet middleware", async () => {
    const client = await running.connect();
    const answer = await client.timeout(DEADLINE).emitWithAck('presence');
    assert.deepEqual(answer, { present: [client.id], from: 'presence' });
    assert.equal(await client.timeout(DEADLINE).emitWithAck('hail'), 'pong');
  });

  it('should fail the boot if the application has a controller of the same name', async () => {
    await assert.rejects(
      start('legacy-plugin-clash'),
      /can't overwrite property 'presence' from .*egg-presence.*presence\.js.* by .*legacy-plugin-clash.*presence\.js/,
    );
  });
});

describe('legacy: config.controller.supportParams', () => {
  let running: Running;

  before(async () => {
    running = await start('legacy-params');
  });

  const cases = [
    ['direct', 'class hello'],
    ['direct object', 'object hello'],
    ['params', 'class HELLO'],
    ['params object', 'object HELLO'],
  ] as const;
  for (const [event, expected] of cases) {
    it(`should answer ${event}`, async () => {
      const client = await running.connect();
      assert.equal(await client.timeout(DEADLINE).emitWithAck(event, 'hello'), expected);
    });
  }
});
