// When a worker of presence removes the entries of another one that is silent, by a clock that the test controls.
import assert from 'node:assert/strict';
import type { Namespace } from 'socket.io';
import { Exchange } from '../lib/presence/exchange';
import { type Message, Replica } from '../lib/presence/replica';
import { mm } from './support/app';

const HEARTBEAT = 1000;

describe('the exchange of presence', () => {
  let now = 0;
  let timers: { callback: () => void; interval: number; next: number }[];
  let exchange: Exchange;
  let replica: Replica;
  let sent: string[];

  beforeEach(() => {
    now = 0;
    timers = [];
    sent = [];
    mm(performance, 'now', () => now);
    mm(globalThis, 'setInterval', (callback: () => void, interval: number) => {
      timers.push({ callback, interval, next: now + interval });
      return { unref() {} };
    });
    const serverSideEmit = (_event: string, text: string) => sent.push((JSON.parse(text) as Message).kind);
    const nsp = { serverSideEmit, adapter: { serverSideEmit }, server: {} } as unknown as Namespace;
    replica = new Replica();
    exchange = new Exchange({ nsp, event: 'presence' }, replica, HEARTBEAT);
    exchange.open('a');
    sent.length = 0;
  });

  afterEach(() => exchange.close());

  /** Lets the time pass. The process is blocked meanwhile if `blocked` is true: each timer then fires once. */
  function pass(ms: number, blocked = false): void {
    for (const end = now + ms; now < end; ) {
      now += blocked ? ms : 1;
      for (const timer of timers) {
        if (timer.next > now) continue;
        timer.callback();
        timer.next = now + timer.interval;
      }
    }
  }

  /** A message of the worker b, of which a client is tracked. */
  const hear = () => {
    exchange.receive(JSON.stringify({ kind: 'state', from: 'b', seq: 1, changes: [['t', '1', 'ann', {}]] }));
    exchange.receive(JSON.stringify({ kind: 'beat', from: 'b', seq: 1 }));
  };

  for (const phase of [1, 499, 500, 501, 999]) {
    it(`should remove a worker that dies within three heartbeats, and not before two are missed: phase ${phase}`, () => {
      pass(phase);
      hear();
      pass(2 * HEARTBEAT);
      assert.equal(replica.count('t'), 1);
      pass(HEARTBEAT);
      assert.equal(replica.count('t'), 0);
    });
  }

  it('should remove nobody if it was blocked itself, and exchange states', () => {
    pass(HEARTBEAT - 1);
    hear();
    // The heartbeat of the other was about to arrive.
    pass(HEARTBEAT);
    pass(1.5 * HEARTBEAT, true);
    assert.equal(replica.count('t'), 1);
    hear();
    sent.length = 0;
    pass(10 * HEARTBEAT, true);
    assert.equal(replica.count('t'), 1);
    assert(sent.includes('hello'), sent.join());
    pass(3 * HEARTBEAT);
    assert.equal(replica.count('t'), 0);
  });
});
