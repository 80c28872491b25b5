// The application of egg-socket.io 4's README, unchanged.
import assert from 'node:assert/strict';
import { type Running, start } from './support/app';
import { parity } from './support/clients';
import { times, until } from './support/wait';

parity('legacy: the application of the README', () => {
  let running: Running;
  /** The arguments of the application's console.log calls. */
  const printed: unknown[] = [];
  const { log } = console;

  before(async () => {
    running = await start('legacy-readme');
    // Not a mock, which would be restored after each test: clients are still disconnecting then.
    console.log = (...line: unknown[]) => void printed.push(...line);
  });

  after(() => {
    console.log = log;
  });

  // This is the first test, so that no client of another test is still disconnecting.
  it('should end the connection middleware and run the system route when the client disconnects', async () => {
    const client = await running.connect();
    assert.deepEqual(printed, []);
    client.disconnect();
    await until('both have printed', () => printed.length === 2);
    assert.deepEqual(printed.sort(), ['client namespace disconnect', 'disconnection!']);
  });

  for (const event of ['chat', 'functions']) {
    const means = event === 'chat' ? 'a class' : 'an async function';
    it(`should run the connection middleware, the packet middleware and the controller, ${means}`, async () => {
      const client = running.client();
      const heard = times(client, 'res', 3);
      client.emit(event, 'hello');
      assert.deepEqual(await heard, [['connected!'], ['packet received!'], ["Hi! I've got your message: hello"]]);
    });
  }

  it('should run the packet middleware for an unrouted event, and not answer it', async () => {
    const client = await running.connect();
    const heard = times(client, 'res', 3);
    client.emit('unheard of', 'hello');
    client.emit('chat', 'sentinel');
    // `connected!` was sent before the client was connected: it may have arrived before this test listens, or may arrive later.
    const answers = (await heard).flat().filter((answer) => answer !== 'connected!');
    assert.deepEqual(answers.slice(0, 2), ['packet received!', 'packet received!']);
  });
});
