import assert from 'node:assert/strict';
import { app } from '@eggjs/mock/bootstrap';

describe('the test kit', () => {
  it('should connect a client with a session', async () => {
    const client = await app.ioClient('/', { session: { user: 'ann' } });
    assert.equal(await client.emitWithAck('say', 'hello'), 'ann said hello in event 1');
    client.emit('shout', 'hi');
    await client.expect('heard', 'hi');
  });

  it('should expect a refusal', async () => {
    await app.ioClient.expectRefused('/', 'log in first');
  });

  it('should call a controller without a network', async () => {
    const answers: unknown[] = [];
    const ctx = app.mockIoContext({
      packet: ['say', 'hello', (answer: unknown) => answers.push(answer)],
      session: { user: 'bob' },
    });
    await app.io.controller.chat.say.call(ctx);
    assert.deepEqual(answers, ['bob said hello in event undefined']);
  });
});
