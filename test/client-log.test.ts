// Log lines that clients cause: one line for each cause, and sums.
import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { ClientLog } from '../lib/client-log';

describe('ClientLog', () => {
  let lines: string[];
  let logged: unknown[];
  let log: ClientLog;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setInterval'] });
    lines = [];
    logged = [];
    const write = (level: string) => (message: string) => lines.push(`${level} ${message}`);
    log = new ClientLog({ info: write('info'), warn: write('warn'), error: (err) => logged.push(err) });
  });

  afterEach(() => {
    log.close();
    mock.timers.reset();
  });

  it('should log a cause once, and sum up its repeats once a minute', () => {
    for (let i = 1; i <= 10_000; i++) log.warn('unknown session', `refused a client ${i}`);
    assert.deepEqual(lines, ['warn [egg-socket.io] refused a client 1']);
    mock.timers.tick(60_000);
    assert.deepEqual(lines.splice(0).slice(1), [
      'warn [egg-socket.io] 9999 more in the last 60 s of: refused a client 10000',
    ]);
    log.warn('unknown session', 'refused a client 10001');
    mock.timers.tick(60_000);
    assert.deepEqual(lines, ['warn [egg-socket.io] 1 more in the last 60 s of: refused a client 10001']);
  });

  it('should log a cause again that was not repeated for a minute', () => {
    log.info('one', 'first');
    mock.timers.tick(60_000);
    log.info('one', 'second');
    assert.deepEqual(lines, ['info [egg-socket.io] first', 'info [egg-socket.io] second']);
  });

  it('should log different causes separately, up to a number of causes', () => {
    for (let i = 0; i < 5_000; i++) log.warn(`cause ${i}`, `message ${i}`);
    assert.equal(lines.length, 1_001);
    mock.timers.tick(60_000);
    assert.deepEqual(lines.slice(1_001), ['warn [egg-socket.io] 3999 more in the last 60 s of: message 4999']);
  });

  it('should write one short line for what a client has sent', () => {
    log.warn('long', `refused a\nb\r\n\u2028${'c'.repeat(100_000)}`);
    assert.match(lines[0] as string, /^warn \[egg-socket\.io\] refused a b c+$/);
    assert.ok((lines[0] as string).length < 1_100);
  });

  it('should sum up when the application closes', () => {
    for (let i = 0; i < 3; i++) log.warn('cause', `message ${i}`);
    log.close();
    assert.deepEqual(lines.slice(1), ['warn [egg-socket.io] 2 more in the last 60 s of: message 2']);
    mock.timers.tick(60_000);
    assert.equal(lines.length, 2);
  });

  const fail = (message: string) => new Error(message);
  const failElsewhere = (message: string) => new Error(message);

  it('should log each error with its stack, up to a number of those with the same one', () => {
    for (let i = 1; i <= 10_000; i++) log.error('event', fail(`message ${i}\n    at made up (${i})`), 'a client');
    const rare = failElsewhere('rare');
    log.error('event', rare, 'a client');
    assert.equal(logged.length, 21);
    assert.equal(logged.at(-1), rare);
    mock.timers.tick(60_000);
    assert.match(
      String(logged.splice(0).at(-1)),
      /^\[egg-socket\.io\] 9980 more in the last 60 s of: Error: message 10000 /,
    );
    log.error('event', rare, 'a client');
    assert.deepEqual(logged, [rare]);
  });

  it('should log where an error comes from, and leave the error as it is', () => {
    const where: unknown[] = [];
    const own = new ClientLog({ info() {}, warn() {}, error: (err) => where.push({ ...(err as object) }) });
    const err = fail('message');
    own.error('event', err, "event 'a\nb' in /");
    assert.deepEqual(where, [{ 'egg-socket.io': "event 'a b' in /" }]);
    assert.deepEqual(Object.keys(err), []);
    own.error('event', Object.freeze(fail('frozen')), 'event');
    assert.deepEqual(where[1], { 'egg-socket.io': 'event' });
    own.close();
  });
});
