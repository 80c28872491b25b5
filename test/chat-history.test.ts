// The history of the example chat, between workers that are stood in for by emitters.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Application } from 'egg';
import { History, type Message } from '../example/chat/app/history';

/** The namespaces of workers that are linked, and the warnings in their log. */
class Workers {
  readonly warnings: string[] = [];
  readonly #namespaces: EventEmitter[] = [];

  /** Starts another worker. */
  start(): History {
    const others = () => this.#namespaces.filter((other) => other !== nsp);
    const nsp = Object.assign(new EventEmitter(), {
      serverSideEmit: (event: string, ...args: unknown[]) =>
        others().forEach((other) => void other.emit(event, ...args)),
      serverSideEmitWithAck: (event: string) =>
        Promise.all(others().map((other) => new Promise((resolve) => void other.emit(event, resolve)))),
    });
    this.#namespaces.push(nsp);
    const logger = { warn: (_format: string, reason: string) => this.warnings.push(reason) };
    return new History({ io: { of: () => nsp }, logger } as unknown as Application);
  }

  /** Starts a worker that does not answer. */
  startSilent(): void {
    const nsp = new EventEmitter();
    nsp.on('history:load', () => {
      throw new Error('timeout reached');
    });
    this.#namespaces.push(nsp);
  }
}

const message = (at: number, room = 'Lobby'): Message => ({ id: `${room}${at}`, room, from: 'Ada', text: 'Hello', at });
const times = (messages: Message[]) => messages.map(({ at }) => at);

describe('the history of the example chat', () => {
  it('is the same in all workers, also in one that is started later', async () => {
    const workers = new Workers();
    const [one, two] = [workers.start(), workers.start()];
    one.add(message(1));
    two.add(message(2));
    const late = workers.start();
    one.add(message(3));
    await Promise.all([late.load(), late.load()]);
    two.add(message(4));
    for (const history of [one, two, late]) assert.deepEqual(times(history.of('Lobby')), [1, 2, 3, 4]);
  });

  it('has the last 50 messages of the 50 rooms with the newest messages', () => {
    const history = new Workers().start();
    for (let at = 1; at <= 60; at++) history.add(message(at));
    assert.deepEqual(
      times(history.of('Lobby')),
      Array.from({ length: 50 }, (_, index) => index + 11),
    );
    for (let room = 1; room <= 49; room++) history.add(message(1, `room ${room}`));
    history.add(message(61));
    history.add(message(1, 'one more'));
    assert.equal(history.of('Lobby').length, 50);
    assert.deepEqual(history.of('room 1'), []);
    assert.equal(history.of('room 2').length, 1);
  });

  it('begins with the worker if the others do not answer', async () => {
    const workers = new Workers();
    workers.startSilent();
    const history = workers.start();
    await history.load();
    history.add(message(1));
    assert.deepEqual(times(history.of('Lobby')), [1]);
    assert.deepEqual(workers.warnings, ['timeout reached']);
  });
});
