// The application of egg-socket.io 4's README, as it stands there.
import assert from 'node:assert/strict';
import { type Running, start } from './support/app';
import { parity } from './support/clients';
import { times, until } from './support/wait';

parity('legacy: the application of the README', () => {
  let running: Running;
  /** What the application has written with console.log. */
  const printed: unknown[] = [];
  const { log } = console;

  before(async () => {
    running = await start('legacy-readme');
    // Until the last client has gone, and so no mock of a single test.
    console.log = (...line: unknown[]) => void printed.push(...line);
  });

  after(() => {
    console.log = log;
  });

  // The first: no client of another test is on its way out.
  it('should end the connection middleware and run the system route when the client leaves', async () => {
    const client = await running.connect();
    assert.deepEqual(printed, []);
    client.disconnect();
    await until('both have printed', () => printed.length === 2);
    assert.deepEqual(printed.sort(), ['client namespace disconnect', 'disconnection!']);
  });

  for (const event of ['chat', 'functions']) {
    const means = event === 'chat' ? 'a class' : 'an async function';
    it(`should greet in the connection middleware, filter the packet and answer with ${means}`, async () => {
      const client = running.client();
      const heard = times(client, 'res', 3);
      client.emit(event, 'hello');
      assert.deepEqual(await heard, [['connected!'], ['packet received!'], ["Hi! I've got your message: hello"]]);
    });
  }

  it('should filter an event that has no route, and answer nothing', async () => {
    const client = await running.connect();
    const heard = times(client, 'res', 3);
    client.emit('unheard of', 'hello');
    client.emit('chat', 'sentinel');
    // `connected!` has come, or is to come yet: it was sent before the client was in.
    const answers = (await heard).flat().filter((answer) => answer !== 'connected!');
    assert.deepEqual(answers.slice(0, 2), ['packet received!', 'packet received!']);
  });
});
