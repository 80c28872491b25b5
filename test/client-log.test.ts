// Log lines that clients cause: one line for each cause, and sums.
import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { ClientLog } from '../lib/client-log';

describe('ClientLog', () => {
  let lines: string[];
  let log: ClientLog;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setInterval'] });
    lines = [];
    const write = (level: string) => (message: string) => lines.push(`${level} ${message}`);
    log = new ClientLog({ info: write('info'), warn: write('warn') });
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
});
