// Log lines that clients cause: one line for each cause, and sums.
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { mock } from 'node:test';
import { ClientLog } from '../lib/client-log';
import { signal, within } from './support/wait';

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

  it('should count errors together whose stacks differ by what a client has chosen', () => {
    const changed = (i: number) => {
      const err = fail(`client ${i}`);
      err.message = `prefix: ${err.message}`;
      return err;
    };
    const appended = (i: number) => {
      const err = failElsewhere('message');
      err.stack += `\ncaused by: client ${i}\n    at made up (${i})`;
      return err;
    };
    for (const make of [changed, appended]) {
      for (let i = 0; i < 100; i++) log.error('event', make(i), 'a client');
      assert.equal(logged.splice(0).length, 20, make.name);
    }
  });

  it('should log other errors with their stacks although there are too many causes', () => {
    for (let i = 0; i < 2_000; i++) log.warn(`cause ${i}`, 'message');
    for (let i = 0; i < 100; i++) log.error('event', fail('message'), 'a client');
    assert.equal(logged.length, 20);
  });

  it('should shorten an error whose message is too long', () => {
    const err = Object.assign(new RangeError(`no ${'a'.repeat(100_000)}`), { code: 'CODE' });
    log.error('event', err, 'a client');
    const { message, name, stack, code } = logged[0] as typeof err;
    assert.equal(message, err.message.slice(0, 1_000));
    assert.deepEqual([name, code], ['RangeError', 'CODE']);
    assert.match(stack as string, /^RangeError\n {4}at .*client-log\.test\.ts/);
    assert((stack as string).length < 5_000);
    assert.equal(err.message.length, 100_003);
    const other = new Error('b'.repeat(100_000));
    other.message = 'c'.repeat(100_000);
    log.error('other', other, 'a client');
    assert((logged[1] as Error).stack?.endsWith((other.stack as string).slice(-100)));
    assert(`${(logged[1] as Error).message}${(logged[1] as Error).stack}`.length < 5_000);
  });

  it('should write lines without a stack, and sums, outside of the context of the client', async () => {
    mock.timers.reset();
    const context = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const summed = signal();
    const write = (message: string) => {
      seen.push(context.getStore());
      if (message.includes(' more in the last ')) summed.resolve();
    };
    const own = new ClientLog({ info: write, warn: write, error() {} }, 10);
    context.run('a client', () => {
      own.error('event', fail('message'), 'a client');
      for (let i = 0; i < 2; i++) own.warn('cause', 'message');
    });
    await within('the sum', summed.promise);
    own.close();
    assert.deepEqual(seen, [undefined, undefined]);
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
