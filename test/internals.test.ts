// The private members of other libraries that the plugin uses: the boot fails if a required one is missing, and the plugin does
// without an optional one.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import { Namespace, Socket } from 'socket.io';
import { assertMembers, assertSupported, createSample, MEMBERS } from '../lib/internals/assert-supported';
import { type Member, missing, type Sample } from '../lib/internals/members';
import { connected, logs, refused } from './support/app';
import { bootError, startInline } from './support/inline';
import { next, signal, until, within } from './support/wait';

type Prototype = Record<string, unknown>;

const prototype = Socket.prototype as unknown as Prototype;

/** Returns a sample whose objects lack a member, as after a release that renames it. */
function without(sample: Sample, { path }: Member): Sample {
  const name = path.split('.').at(-1) as string;
  const hide = (object: object): object =>
    new Proxy(object, {
      get: (target, key) => {
        if (key === name) return undefined;
        const value = Reflect.get(target, key);
        return typeof value === 'object' && value !== null ? hide(value) : value;
      },
    });
  const hidden = Object.entries(sample).map(([key, object]) => [key, hide(object)]);
  return Object.fromEntries(hidden) as Sample;
}

/** Removes methods of Socket.IO's Socket until the end of the test. */
function remove(...names: string[]): void {
  for (const name of names) {
    const method = prototype[name];
    delete prototype[name];
    restored.push(() => {
      prototype[name] = method;
    });
  }
}

const restored: Array<() => void> = [];

describe('private members of other libraries', () => {
  let sample: Sample;

  before(async () => {
    const { app } = await startInline({});
    sample = createSample(app);
  });

  afterEach(() => {
    for (const restore of restored.splice(0)) restore();
  });

  it('should all exist in the installed versions', () => {
    assert.deepEqual(missing(MEMBERS, sample), []);
    assertSupported(sample.app, (warning) => assert.fail(warning));
  });

  for (const member of MEMBERS) {
    const { path, library, fallback } = member;
    if (fallback === undefined) {
      it(`should fail the boot if ${path} of ${library} is missing, and name the supported versions`, () => {
        assert.throws(
          () => assertMembers([member], without(sample, member), assert.fail),
          (err: Error) => {
            assert(err.message.includes(path), err.message);
            assert.match(err.message, /is not supported: .* is missing\. Supported: [\w.@/-]+ \S*\d/);
            return true;
          },
        );
      });
    } else {
      it(`should warn once if ${path} of ${library} is missing, and say what happens instead`, () => {
        const warnings: string[] = [];
        assertMembers([member], without(sample, member), (warning) => warnings.push(warning));
        assert.equal(warnings.length, 1);
        assert(warnings[0]?.includes(path) && warnings[0].includes(fallback), warnings[0]);
      });
    }
  }

  it('should fail the boot of an application that has an unsupported version of Socket.IO', async () => {
    const members = Namespace.prototype as unknown as Prototype;
    const { _onServerSideEmit } = members;
    delete members._onServerSideEmit;
    restored.push(() => {
      members._onServerSideEmit = _onServerSideEmit;
    });
    const { message } = await bootError({});
    assert.match(
      message,
      /Namespace\.prototype\._onServerSideEmit of socket\.io 4\.\d.* is missing\. Supported: socket\.io ~4\.8/,
    );
  });

  it('should guard events by packet middleware if Socket.dispatch is missing', async () => {
    const reached: string[] = [];
    const { dispatch } = prototype as { dispatch: (event: unknown[]) => void };
    const onevent = prototype.onevent;
    // As in a release that renames it.
    prototype.renamed = dispatch;
    prototype.onevent = function (this: Prototype, packet: { data: unknown[]; id?: number }) {
      if (packet.id !== undefined) packet.data.push((this.ack as (id: number) => unknown)(packet.id));
      (this.renamed as typeof dispatch)(packet.data);
    };
    restored.push(() => {
      prototype.onevent = onevent;
      delete prototype.renamed;
    });
    remove('dispatch');
    const { connect, app } = await startInline({
      io: { packetMiddleware: ['guard'], ack: 'auto' },
      middleware: {
        guard: async (ctx: Context, go: () => Promise<void>) => {
          if (ctx.packet[0] === 'forbidden') throw new Error('not you');
          if (ctx.packet[0] !== 'swallowed') await go();
        },
      },
      router: (app) => {
        for (const event of ['forbidden', 'swallowed']) app.io.route(event, () => reached.push(event));
        app.io.route('hail', () => 'pong');
        app.io.on('connection', (socket) => {
          for (const event of ['forbidden', 'swallowed', 'hail'])
            socket.on(event, () => reached.push(`listener ${event}`));
        });
      },
    });
    logs(app);
    const client = await connect();
    const failed = next(client, 'error');
    client.emit('forbidden');
    assert.deepEqual(await failed, ['not you']);
    client.emit('swallowed');
    assert.equal(await client.emitWithAck('hail'), 'pong');
    await until('the listener is called', () => reached.length > 0);
    assert.deepEqual(reached, ['listener hail']);
  });

  it('should unwind the chain of a client that leaves if Socket._cleanup is missing', async () => {
    const cleanup = prototype._cleanup as () => void;
    const onclose = prototype._onclose as (...args: unknown[]) => unknown;
    // As in a release that renames it: its caller uses the new name.
    prototype._onclose = function (this: Prototype, ...args: unknown[]) {
      this._cleanup = cleanup;
      return onclose.apply(this, args);
    };
    restored.push(() => {
      prototype._onclose = onclose;
    });
    remove('_cleanup');
    const ended = signal();
    const { connect } = await startInline({
      io: { connectionMiddleware: ['a'] },
      middleware: {
        a: async (_ctx: Context, go: () => Promise<void>) => {
          await go();
          ended.resolve();
        },
      },
    });
    const client = await connect();
    client.disconnect();
    await ended.promise;
  });

  it('should disconnect an expired client with another reason if Socket._onclose is missing', async () => {
    const onclose = prototype._onclose as (...args: unknown[]) => unknown;
    const { disconnect } = prototype as { disconnect: () => unknown };
    // As in a release that renames it: its callers use the new name.
    prototype.disconnect = function (this: Prototype) {
      return onclose.call(this, 'server namespace disconnect');
    };
    restored.push(() => {
      prototype.disconnect = disconnect;
    });
    remove('_onclose');
    const reason = signal<unknown>();
    const { connect } = await startInline({
      io: { expires: { at: () => Date.now() + 20, grace: 0 } },
      router: ({ io }) => io.route('disconnect', (ctx) => reason.resolve(ctx.args[0])),
    });
    await connect();
    assert.equal(await within('the reason', reason.promise), 'server namespace disconnect');
    for (const restore of restored.splice(0)) restore();
  });

  it('should disconnect a refused client in all namespaces if Client._disconnect is missing', async () => {
    const { connect, app } = await startInline({
      io: { namespace: { '/': {}, '/chat': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: (ctx: Context) => {
          Object.assign(ctx.client, { _disconnect: undefined });
          ctx.disconnect(true);
          throw new Error('banned');
        },
      },
    });
    logs(app);
    const root = await connect();
    const left = next(root, 'disconnect');
    assert.equal((await refused(root.io.socket('/chat'))).message, 'banned');
    await left;
  });

  it('should pass every event to the listeners of its socket if Socket.fns is missing', async () => {
    const { connect, app } = await startInline({ router: (app) => app.io.route('hail', (ctx) => ctx.args[0]('pong')) });
    app.io.use((socket, admit) => {
      Object.assign(socket, { run: (_event: unknown, fn: () => void) => fn(), fns: undefined });
      admit();
    });
    const client = await connected(await connect());
    assert.equal(await client.emitWithAck('hail'), 'pong');
  });
});
