import assert from 'node:assert/strict';
import { app } from '@eggjs/mock/bootstrap';
import { PerEvent } from '../app/modules/chat/controllers.ts';

type Client = Awaited<ReturnType<typeof app.ioClient>>;

describe('decorated controllers', () => {
  /** The objects that are open beside those of the test itself, of which @eggjs/mock creates some. */
  const open = () => [...PerEvent.open].filter((id) => !before.has(id)).length;
  let before = new Set<number>();

  beforeEach(() => {
    before = new Set(PerEvent.open);
  });

  const waitFor = async (client: Client, waiting: number, ended: number) => {
    for (;;) {
      const answer = (await client.emitWithAck('waiting')) as number[];
      if (answer[0] === waiting && answer[1] === ended) return;
    }
  };
  const allClosed = async () => {
    while (open() > 0) await new Promise(setImmediate);
  };

  it('should share a namespace, and inherit methods with their decorators', async () => {
    const one = await app.ioClient('/one');
    const two = await app.ioClient('/two');
    assert.deepEqual(await one.emitWithAck('name'), 'One of Base');
    assert.deepEqual(await two.emitWithAck('name'), 'Two of Base');
    assert.deepEqual(await one.emitWithAck('echo', 'x'), 'One: x');
    assert.deepEqual(await two.emitWithAck('echo', 'x'), 'Two: x');
  });

  it('should have an object of @ContextProto for each of two events at once, and one of @SingletonProto for both', async () => {
    const client = await app.ioClient('/one');
    const answers = [client.emitWithAck('wait'), client.emitWithAck('wait')];
    await waitFor(client, 2, 0);
    await client.emitWithAck('release');
    const [first, second] = (await Promise.all(answers)) as Array<[number, number, boolean]>;
    assert.notEqual(first?.[0], second?.[0]);
    for (const [id, after, isOpen] of [first, second] as Array<[number, number, boolean]>)
      assert.deepEqual([after, isOpen], [id, true]);
    await allClosed();
  });

  it('should destroy the objects of an event whose client has left, not before its handler has ended', async () => {
    const client = await app.ioClient('/one');
    const leaving = await app.ioClient('/one');
    leaving.emit('wait', () => {});
    await waitFor(client, 1, 2);
    leaving.disconnect();
    await waitFor(client, 1, 2);
    assert.ok(open() > 0);
    await client.emitWithAck('release');
    await waitFor(client, 0, 3);
    await allClosed();
  });

  it('should destroy the objects of an event that fails', async () => {
    const client = await app.ioClient('/one');
    assert.deepEqual(await client.emitWithAck('fail'), { error: { message: 'no true' } });
    await allClosed();
  });
});
