// Spans of OpenTelemetry for connections, events and broadcasts.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import {
  type ContextManager,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapPropagator,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import type { Application, Context } from 'egg';
import type { IoConfig } from '../lib';
import { broadcasts, connections, deliveries, events, isTraced } from '../lib/diagnostics';
import { fixture, logs, mm, ROOT, refused } from './support/app';
import { parity } from './support/clients';
import { bootError, startInline } from './support/inline';
import { removeSdk, Spans } from './support/otel';
import { next, signal, until } from './support/wait';

type Middleware = (ctx: Context, go: () => Promise<unknown>) => unknown;

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const PARENT_ID = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE_ID}-${PARENT_ID}-01`;

/** What a test compares of a span. */
function shape({ name, kind, status, attributes }: ReadableSpan) {
  return {
    name,
    kind,
    status: status.code,
    method: attributes['rpc.method'],
    original: attributes['rpc.method_original'],
    code: attributes['rpc.response.status_code'],
    error: attributes['error.type'],
    outcome: attributes['socketio.outcome'],
  };
}

const tracer = () => trace.getTracer('test');

parity('the spans of events', () => {
  let spans: Spans;
  beforeEach(() => {
    spans = new Spans();
  });
  afterEach(removeSdk);

  it('should contain the spans of middleware, controllers, listeners and what they await', async () => {
    const work = async (name: string) => {
      await turn();
      tracer().startSpan(name).end();
    };
    const { connect } = await startInline({
      io: { packetMiddleware: ['a'], ack: 'auto' },
      middleware: {
        a: (async (_ctx, go) => {
          await work('middleware');
          return go();
        }) as Middleware,
      },
      router: ({ io }) => {
        io.on('connection', (socket) => {
          socket.on('say', () => work('listener'));
          socket.onAny(() => work('onAny'));
        });
        io.route('say', async () => {
          await work('controller');
          return 'ok';
        });
      },
    });
    const client = await connect();
    assert.equal(await client.emitWithAck('say'), 'ok');
    const event = await spans.ended('/say');
    await spans.ended('listener');
    for (const name of ['middleware', 'controller', 'listener', 'onAny']) {
      const child = await spans.ended(name);
      assert.equal(child.parentSpanContext?.spanId, event.spanContext().spanId, name);
      assert.equal(child.spanContext().traceId, event.spanContext().traceId, name);
    }
  });
});

describe('config.io.otel', () => {
  for (const [otel, message] of [
    ['yes', /config\.io\.otel is invalid .*allowed: true, false or \{ parentFromHandshake, parentFromEvents \}/],
    [{ parentFromEvents: 1 }, /config\.io\.otel\.parentFromEvents is invalid .*allowed: true or false/],
    [{ parent: true }, /unknown option parent/],
  ] as const) {
    it(`should refuse ${JSON.stringify(otel)}`, async () => {
      assert.match((await bootError({ io: { otel } as unknown as IoConfig })).message, message);
    });
  }
});

describe('tracing with OpenTelemetry', () => {
  let spans: Spans;
  beforeEach(() => {
    spans = new Spans();
  });
  afterEach(removeSdk);

  it('should name each event by its route, with its outcome, and never by what the client has sent', async () => {
    const tooLate = signal();
    const { app, connect } = await startInline({
      io: { ack: 'auto', ackTimeout: 50, packetMiddleware: ['a'] },
      middleware: {
        a: ((ctx, go) => {
          if (ctx.packet[0] === 'alias') ctx.packet = ['say', ...ctx.packet.slice(1)];
          return go();
        }) as Middleware,
      },
      router: ({ io }) => {
        const chat = io.of('/chat');
        chat.route('say', () => 'ok');
        chat.route('broken', () => {
          throw new TypeError('broken');
        });
        chat.route('forbidden', (ctx) => ctx.throw(403, 'no', { code: 'FORBIDDEN' }));
        chat.route('slow', () => tooLate.promise);
        chat.route('disconnect', () => {});
        io.route('say', () => 'ok');
        io.of('/all').route('*', () => 'ok');
        io.of('/room/:id').route('say', () => 'ok');
        io.of(/^\/user-\w+$/).route('say', () => 'ok');
      },
    });
    logs(app);
    const chat = await connect('/chat');
    for (const event of ['say', 'alias', 'broken', 'forbidden', 'slow', 'secret']) await chat.emitWithAck(event);
    tooLate.resolve();
    await (await connect('/')).emitWithAck('say');
    await (await connect('/all')).emitWithAck('secret');
    await (await connect('/room/secret')).emitWithAck('say');
    await (await connect('/user-secret')).emitWithAck('say');
    chat.disconnect();
    await spans.ended('/chat/disconnect');
    await until('all spans to end', () => spans.all.length === 16);
    const isLate = (name: string) => /^connect |^\/chat\/(slow|disconnect)$/.test(name);
    const seen = spans.all.filter(({ name }) => !isLate(name)).map(shape);
    const ok = { kind: SpanKind.SERVER, status: SpanStatusCode.UNSET, original: undefined, code: undefined };
    const fine = (name: string, more = {}) => ({
      name,
      ...ok,
      method: name,
      error: undefined,
      outcome: 'ok',
      ...more,
    });
    const failed = { status: SpanStatusCode.ERROR, outcome: 'error' };
    assert.deepEqual(seen, [
      fine('/chat/say'),
      fine('/chat/say', { original: 'alias' }),
      fine('/chat/broken', { ...failed, error: 'TypeError' }),
      fine('/chat/forbidden', { code: 'FORBIDDEN', outcome: 'error' }),
      fine('/chat/_OTHER', { method: '_OTHER', original: 'secret', code: 'NO_ROUTE', outcome: 'no route' }),
      fine('/say'),
      fine('/all/*', { original: 'secret' }),
      fine('/room/:id/say'),
      fine('/^\\/user-\\w+$//say'),
    ]);
    const [slow] = spans.named('/chat/slow').map(shape);
    assert.deepEqual(slow, fine('/chat/slow', { ...failed, error: 'AckTimeoutError', code: 'ACK_TIMEOUT' }));
    assert.deepEqual(spans.named('/chat/disconnect').map(shape), [fine('/chat/disconnect')]);
    const [broken] = spans.named('/chat/broken');
    assert.deepEqual(
      broken?.events.map(({ name, attributes }) => [name, attributes?.['exception.message']]),
      [['exception', 'broken']],
    );
    assert.equal(broken?.status.message, 'broken');
    assert.equal(broken?.attributes['rpc.system.name'], 'socket.io');
    assert.equal(broken?.attributes['network.protocol.name'], 'websocket');
    assert.doesNotMatch(spans.all.map(({ name }) => name).join(), /secret/);
    const names = new Set(spans.all.flatMap(({ attributes }) => Object.keys(attributes)));
    for (const name of names) assert.match(name, /^(client|error|network|rpc|socketio|user_agent)\./);
    assert.equal(spans.named('/chat/forbidden')[0]?.events.length, 0);
  });

  it('should have little of what a client has sent, also if the application makes errors of it', async () => {
    const { app, connect } = await startInline({
      io: { ack: 'auto' },
      router: ({ io }) =>
        io.route('say', ({ args: [text] }) => {
          throw Object.assign(new Error(`unknown: ${text}`), { code: text, name: text });
        }),
    });
    logs(app);
    const client = await connect('/', { extraHeaders: { 'user-agent': 'x'.repeat(5_000) } });
    await client.emitWithAck('say', 'x'.repeat(100_000));
    await client.emitWithAck('x'.repeat(100_000));
    const { attributes } = await spans.ended('/say');
    await spans.ended('/_OTHER');
    const sizes = spans.all.map(({ name, attributes, events, status }) => {
      return [name, JSON.stringify([attributes, events, status]).length] as const;
    });
    const max: Record<string, number> = { 'connect /': 1_000, '/say': 20_000, '/_OTHER': 1_000 };
    for (const [name, size] of sizes) assert(size < (max[name] ?? 0), `${size} characters of ${name}`);
    assert.deepEqual([attributes['rpc.response.status_code'], attributes['error.type']], ['_OTHER', '_OTHER']);
  });

  it('should have the same code and type of an error as the metrics, without acknowledgements as well', async () => {
    const { app, connect } = await startInline({
      router: ({ io }) =>
        io.route('odd', () => {
          throw Object.defineProperty(new Error('no'), 'code', {
            get: () => {
              throw new Error('unreadable');
            },
          });
        }),
    });
    const { error } = logs(app);
    const client = await connect();
    client.emit('nobody');
    client.emit('odd');
    const odd = await spans.ended('/odd');
    assert.deepEqual(odd.attributes['error.type'], '_OTHER');
    assert.equal((await spans.ended('/_OTHER')).attributes['rpc.response.status_code'], 'NO_ROUTE');
    assert.doesNotMatch(error.map(({ message }) => message).join(), /unreadable/);
  });

  it('should make a span of each connection from its handshake to its decision, to which its events are linked', async () => {
    const { app, client, connect } = await startInline({
      io: { namespace: { '/room/:id': { connectionMiddleware: ['a'] } }, ack: 'auto' },
      middleware: {
        a: (async (ctx, go) => {
          await turn();
          tracer().startSpan('admission').end();
          if (ctx.params?.id === 'closed') ctx.throw(403, 'closed');
          if (ctx.params?.id === 'broken') throw new Error('broken');
          return go();
        }) as Middleware,
      },
      router: ({ io }) => {
        io.of('/room/:id').route('say', () => 'ok');
        io.of('/room/:id').route('connect', () => {});
      },
    });
    logs(app);
    const open = await connect('/room/open');
    const connection = await spans.ended('connect /room/:id');
    assert.deepEqual(
      [connection.kind, connection.attributes['socketio.outcome'], connection.attributes['client.address']],
      [SpanKind.SERVER, 'admitted', '127.0.0.1'],
    );
    const { issued } = app.io.of('/room/open').sockets.values().next().value!.handshake;
    const [seconds, nanoseconds] = connection.startTime;
    assert.equal(seconds * 1e3 + nanoseconds / 1e6, issued);
    assert.equal((await spans.ended('admission')).parentSpanContext?.spanId, connection.spanContext().spanId);
    await open.emitWithAck('say');
    for (const name of ['/room/:id/connect', '/room/:id/say']) {
      const event = await spans.ended(name);
      assert.equal(event.parentSpanContext, undefined);
      assert.notEqual(event.spanContext().traceId, connection.spanContext().traceId);
      assert.deepEqual(
        event.links.map(({ context }) => context.spanId),
        [connection.spanContext().spanId],
      );
    }
    await refused(client('/room/closed'));
    await refused(client('/room/broken'));
    await until('both spans to end', () => spans.named('connect /room/:id').length === 3);
    assert.deepEqual(
      spans
        .named('connect /room/:id')
        .map(({ status, attributes }) => [
          attributes['socketio.outcome'],
          attributes['rpc.response.status_code'],
          status.code,
        ]),
      [
        ['admitted', undefined, SpanStatusCode.UNSET],
        ['refused', '403', SpanStatusCode.UNSET],
        ['refused', undefined, SpanStatusCode.ERROR],
      ],
    );
  });

  const parentOf = ({ parentSpanContext }: ReadableSpan) =>
    parentSpanContext && [parentSpanContext.traceId, parentSpanContext.spanId];

  it('should take the parent of a connection from auth, else from the headers', async () => {
    const { connect } = await startInline({});
    const other = TRACEPARENT.replace(PARENT_ID, 'c'.repeat(16));
    await connect('/', { auth: { traceparent: TRACEPARENT, tracestate: 'a=1' }, extraHeaders: { traceparent: other } });
    await connect('/', { extraHeaders: { traceparent: other } });
    for (const traceparent of ['x', `00-${'0'.repeat(32)}-${PARENT_ID}-01`, `${TRACEPARENT}${'-'.repeat(1000)}`, 7]) {
      await connect('/', { auth: { traceparent } });
    }
    await until('all spans to end', () => spans.all.length === 6);
    assert.deepEqual(spans.all.map(parentOf), [
      [TRACE_ID, PARENT_ID],
      [TRACE_ID, 'c'.repeat(16)],
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    assert.equal(spans.all[0]?.spanContext().traceState?.serialize(), 'a=1');
  });

  it('should pass nothing to the propagator that is long, or is neither traceparent nor tracestate', async () => {
    const carriers: unknown[] = [];
    propagation.disable();
    propagation.setGlobalPropagator({
      inject() {},
      extract: (of, carrier) => {
        carriers.push(carrier);
        return of;
      },
      fields: () => [],
    });
    const { connect } = await startInline({});
    const baggage = { baggage: 'user=1', b3: '1' };
    await connect('/', { auth: { ...baggage, traceparent: TRACEPARENT, tracestate: 'a=1' }, extraHeaders: baggage });
    await connect('/', { auth: { ...baggage, traceparent: TRACEPARENT, tracestate: `a=${'x'.repeat(511)}` } });
    await connect('/', { auth: { traceparent: `01-${TRACE_ID}-${PARENT_ID}-01-${'x'.repeat(100)}` } });
    await until('all spans to end', () => spans.all.length === 3);
    assert.deepEqual(carriers, [{ traceparent: TRACEPARENT, tracestate: 'a=1' }, { traceparent: TRACEPARENT }]);
  });

  it('should not take the parent of a connection from the client if parentFromHandshake is false', async () => {
    const { connect } = await startInline({ io: { otel: { parentFromHandshake: false } } });
    await connect('/', { auth: { traceparent: TRACEPARENT } });
    assert.equal((await spans.ended('connect /')).parentSpanContext, undefined);
  });

  const echo = ({ io }: Application) => {
    io.on('connection', (socket) => socket.on('by hand', (...args) => args.pop()(args)));
    io.route('echo', (ctx) => [ctx.packet.length, ...ctx.args.filter((arg) => typeof arg !== 'function')]);
  };

  it('should take the parent of an event from its last argument, and remove it, if parentFromEvents is set', async () => {
    const { connect } = await startInline({ io: { ack: 'auto', otel: { parentFromEvents: true } }, router: echo });
    const client = await connect();
    const sent = { traceparent: TRACEPARENT };
    assert.deepEqual(await client.emitWithAck('echo', 1, sent), [3, 1]);
    assert.deepEqual(await client.emitWithAck('by hand', 1, { ...sent, tracestate: 'a=1' }), [1]);
    // The event has no other arguments, or the object is not a trace context, or not a valid one.
    assert.deepEqual(await client.emitWithAck('echo', sent), [2]);
    assert.deepEqual(await client.emitWithAck('echo', { traceparent: 'x' }), [2]);
    for (const data of [{ ...sent, more: 1 }, { traceparent: 1 }, { ...sent, tracestate: 1 }, [TRACEPARENT], null]) {
      assert.deepEqual(await client.emitWithAck('echo', data), [3, data]);
    }
    await until('all spans to end', () => spans.named('/echo').length === 8 && spans.named('/_OTHER').length === 1);
    const parents = spans.named('/echo').map(parentOf);
    assert.deepEqual(parents, [[TRACE_ID, PARENT_ID], [TRACE_ID, PARENT_ID], ...Array(6).fill(undefined)]);
    assert.deepEqual(spans.named('/_OTHER').map(parentOf), [[TRACE_ID, PARENT_ID]]);
    assert.equal(spans.named('/echo')[0]?.links.length, 1);
  });

  it('should leave the arguments of an event as they are without parentFromEvents', async () => {
    const { connect } = await startInline({ io: { ack: 'auto' }, router: echo });
    const client = await connect();
    const sent = { traceparent: TRACEPARENT };
    assert.deepEqual(await client.emitWithAck('echo', sent), [3, sent]);
    assert.equal((await spans.ended('/echo')).parentSpanContext, undefined);
  });

  it('should remove the trace context of an event also if no SDK is registered', async () => {
    removeSdk();
    const { connect } = await startInline({ io: { ack: 'auto', otel: { parentFromEvents: true } }, router: echo });
    const client = await connect();
    assert.deepEqual(await client.emitWithAck('echo', 1, { traceparent: TRACEPARENT }), [3, 1]);
    assert.equal(spans.all.length, 0);
  });

  it('should make a span of each broadcast with the number of its rooms, and never their names', async () => {
    const { app, connect } = await startInline({
      io: { ack: 'auto' },
      router: ({ io }) => {
        const chat = io.of('/chat');
        chat.route('say', (ctx) => {
          chat.to('secret-1').to('secret-2').except('secret-3').emit('said', 'secret');
          ctx.emit('to this client alone');
        });
      },
    });
    const client = await connect('/chat');
    await client.emitWithAck('say');
    const event = await spans.ended('/chat/say');
    app.io.local.emit('news');
    const [said] = spans.named('broadcast /chat');
    assert.equal(said?.kind, SpanKind.PRODUCER);
    assert.equal(said?.parentSpanContext?.spanId, event.spanContext().spanId);
    assert.deepEqual(said?.attributes, {
      'messaging.system': 'socket.io',
      'messaging.operation.name': 'broadcast',
      'messaging.operation.type': 'send',
      'messaging.destination.name': '/chat',
      'socketio.event.name': 'said',
      'socketio.rooms.count': 2,
      'socketio.rooms.except_count': 1,
      'socketio.with_ack': false,
    });
    assert.equal(spans.named('broadcast /').length, 1);
    assert.doesNotMatch(JSON.stringify(spans.all.map(({ name, attributes }) => [name, attributes])), /secret/);
  });

  it('should begin a trace with a broadcast of agent.io', async () => {
    const { app, connect } = await startInline({});
    const news = next(await connect(), 'news');
    (app as unknown as { agent: Pick<Application, 'io'> }).agent.io.emit('news');
    await news;
    assert.deepEqual(spans.named('broadcast /').map(parentOf), [undefined]);
  });

  it('should make a span of the delivery of a broadcast of another worker, if that has sent a trace context', async () => {
    const { app } = await startInline({});
    const message = { server: app.io, namespace: '/room/:id', event: 'news', rooms: 2, except: 0 };
    const carrier = { traceparent: TRACEPARENT };
    const deliver = (more: object) => deliveries.traceSync(() => {}, { ...message, carrier, ...more });
    deliver({});
    deliver({ carrier: undefined });
    deliver({ server: {} });
    assert.throws(() => deliveries.traceSync(broken, { ...message, carrier }));
    assert.deepEqual(
      spans.all.map((span) => [span.name, span.kind, parentOf(span), span.status.code]),
      [
        ['deliver /room/:id', SpanKind.CONSUMER, [TRACE_ID, PARENT_ID], SpanStatusCode.UNSET],
        ['deliver /room/:id', SpanKind.CONSUMER, [TRACE_ID, PARENT_ID], SpanStatusCode.ERROR],
      ],
    );
    assert.equal(spans.all[0]?.attributes['socketio.rooms.count'], 2);
  });

  it('should write the trace id into the access log, unless the application has a tracer of its own', async () => {
    const entries: Array<[string, string | undefined]> = [];
    const { connect } = await startInline({
      io: {
        ack: 'auto',
        packetMiddleware: ['a'],
        accessLog: ({ kind, traceId }) => {
          entries.push([kind, traceId]);
        },
      },
      middleware: {
        a: ((ctx, go) => {
          if (ctx.packet[0] === 'own') Object.assign(ctx, { tracer: { traceId: 'own' } });
          return go();
        }) as Middleware,
      },
      router: ({ io }) => io.route('*', () => 'ok'),
    });
    const client = await connect();
    await client.emitWithAck('say');
    await client.emitWithAck('own');
    await until('all spans to end', () => spans.all.length === 3);
    const [connection, event] = spans.all.map((span) => span.spanContext().traceId);
    assert.deepEqual(entries, [
      ['connect', connection],
      ['event', event],
      ['event', 'own'],
    ]);
  });

  it('should be off with config.io.otel: false', async () => {
    const { connect } = await startInline({ io: { ack: 'auto', otel: false }, router: echo });
    await (await connect()).emitWithAck('echo');
    assert.equal(isTraced(events), false);
    assert.equal(spans.all.length, 0);
  });

  it('should trace no events before a provider is registered, and begin with the next connection', async () => {
    removeSdk();
    const { connect } = await startInline({ io: { ack: 'auto' }, router: echo });
    const first = await connect();
    await first.emitWithAck('echo');
    assert.equal(isTraced(events), false);
    const late = new Spans();
    const second = await connect();
    await first.emitWithAck('echo');
    await second.emitWithAck('echo');
    await until('all spans to end', () => late.all.length === 3);
    assert.deepEqual(
      late.all.map(({ name, links }) => [name, links.length]),
      [
        ['connect /', 0],
        ['/echo', 0],
        ['/echo', 1],
      ],
    );
  });

  const broken = (): never => {
    throw new Error('broken SDK');
  };
  /** Returns an object whose functions all throw, but those that are given. */
  const breaking = <T extends object>(working: Partial<T> = {}) =>
    new Proxy(working, { get: (target, name) => Reflect.get(target, name) ?? broken }) as T;
  const spanOf = (methods: Partial<Span> = {}) =>
    breaking<Span>({ spanContext: () => ({ traceId: TRACE_ID, spanId: PARENT_ID, traceFlags: 1 }), ...methods });
  const register = (startSpan: () => Span) =>
    trace.setGlobalTracerProvider({ getTracer: () => breaking<Tracer>({ startSpan }) });

  for (const [what, breakSdk] of Object.entries({
    'a tracer': () => register(broken),
    spans: () => register(() => spanOf()),
    'the spans of errors': () => register(() => spanOf({ setAttribute: () => spanOf(), isRecording: () => true })),
    'a context manager': () => {
      new Spans();
      context.disable();
      context.setGlobalContextManager(breaking<ContextManager>({ disable: () => undefined as never }));
    },
    'a propagator': () => {
      new Spans();
      propagation.disable();
      propagation.setGlobalPropagator(breaking<TextMapPropagator>({ inject: broken, fields: () => [] }));
    },
  })) {
    it(`should handle connections, events and broadcasts if ${what} of the SDK throws, and log that`, async () => {
      removeSdk();
      breakSdk();
      let app: Application | undefined;
      const running = await startInline({
        io: { ack: 'auto', otel: { parentFromEvents: true } },
        router: (of) => {
          app = of;
          echo(of);
          of.io.route('fail', () => {
            throw new Error('broken controller');
          });
        },
      });
      const { error } = logs(running.app);
      const client = await running.connect('/', { auth: { traceparent: TRACEPARENT } });
      assert.deepEqual(await client.emitWithAck('echo', 1, { traceparent: TRACEPARENT }), [3, 1]);
      assert.deepEqual(await client.emitWithAck('fail'), { error: { message: 'broken controller' } });
      const news = next(client, 'news');
      app?.io.emit('news');
      await news;
      const messages = error.map(({ message }) => message);
      assert(messages.includes('broken SDK'), messages.join());
    });
  }

  it('should end its subscriptions with the application', async () => {
    const { connect, close } = await startInline({ io: { ack: 'auto' }, router: echo });
    await (await connect()).emitWithAck('echo');
    const subscribed = () => [isTraced(connections), isTraced(events), isTraced(deliveries), broadcasts.hasSubscribers];
    assert.deepEqual(subscribed(), [true, true, true, true]);
    await close();
    assert.deepEqual(subscribed(), [false, false, false, false]);
  });

  it('should trace only its own application', async () => {
    const [one, other] = await Promise.all([startInline({ io: { ack: 'auto' }, router: echo }), startInline({})]);
    await (await one.connect()).emitWithAck('echo');
    one.app.io.emit('news');
    await spans.ended('/echo');
    assert.deepEqual(
      spans.all.map(({ name }) => name),
      ['connect /', '/echo', 'broadcast /'],
    );
    assert.ok(other);
  });
});

describe('an application without @opentelemetry/api', () => {
  let baseDir: string;
  before(() => {
    // Outside of this package, whose node_modules have it.
    baseDir = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-otel-'));
    // Not earlier: on Egg 3 the watcher of a closed application throws if a file that it watches is removed.
    process.once('exit', () => rmSync(baseDir, { recursive: true, force: true }));
    cpSync(fixture('inline'), baseDir, { recursive: true });
    const plugin = `exports.io = { enable: true, path: ${JSON.stringify(ROOT)} };`;
    writeFileSync(path.join(baseDir, 'config/plugin.js'), plugin);
  });
  afterEach(removeSdk);

  it('should start, and trace and log nothing', async () => {
    const spans = new Spans();
    const warnings: unknown[] = [];
    const { connect } = await startInline(
      {
        io: { ack: 'auto' },
        boot: ({ coreLogger }) => mm(coreLogger, 'warn', (line: unknown) => warnings.push(line)),
        router: ({ io }) => io.route('say', () => 'ok'),
      },
      { baseDir },
    );
    assert.equal(await (await connect()).emitWithAck('say'), 'ok');
    assert.deepEqual([spans.all, warnings], [[], []]);
  });

  it('should not start if the configuration requires it, with an error that says what to install', async () => {
    const { message } = await bootError({ io: { otel: true } }, { baseDir });
    assert.match(
      message,
      /can't load @opentelemetry\/api: run "npm install @opentelemetry\/api@1", or remove config\.io\.otel/,
    );
  });

  it('should start if it has an old version of the API, with a warning', async () => {
    const old = path.join(baseDir, 'node_modules/@opentelemetry/api');
    mkdirSync(old, { recursive: true });
    // Versions before 1.3 have no metrics.
    writeFileSync(path.join(old, 'index.js'), 'exports.trace = {};');
    try {
      const warnings: string[] = [];
      const boot = ({ coreLogger }: Application) => {
        mm(coreLogger, 'warn', (line: string) => warnings.push(line));
      };
      const { connect } = await startInline(
        { io: { ack: 'auto' }, boot, router: ({ io }) => io.route('say', () => 'ok') },
        { baseDir },
      );
      assert.equal(await (await connect()).emitWithAck('say'), 'ok');
      assert.equal(warnings.length, 1);
      assert.match(
        warnings[0] ?? '',
        /no OpenTelemetry: can't load .*: Its version is too old: 1\.9 or later is needed/,
      );
    } finally {
      rmSync(old, { recursive: true });
    }
  });
});
