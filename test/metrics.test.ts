// The metrics of a worker: app.io.metrics() for Prometheus, and the meter of OpenTelemetry.
import assert from 'node:assert/strict';
import { hasSubscribers } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import Module from 'node:module';
import path from 'node:path';
import * as api from '@opentelemetry/api';
import { type HistogramMetricData, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import type { Application } from 'egg';
import { Counter, Registry } from 'prom-client';
import type { IoConfig } from '../lib';
import { CALL_DURATION, CONNECTION_DURATION, OBSERVED } from '../lib/telemetry/metrics';
import { startOtelMetrics } from '../lib/telemetry/otel-metrics';
import { prometheusNameOf } from '../lib/telemetry/prometheus';
import { connected, logs, ROOT, refused, track } from './support/app';
import { NEW, OLD, parity } from './support/clients';
import { parse, type Sample } from './support/exposition';
import { bootError, type Inline, startInline } from './support/inline';
import { signal, until } from './support/wait';

const METHOD = 'rpc_server_call_duration_seconds';

/** An application with routes in three namespaces, one of which has a pattern. */
const CHAT: Inline = {
  io: {
    ack: 'auto',
    metrics: true,
    namespace: { '/': {}, '/chat': { connectionMiddleware: ['a'] }, '/room/:id': {} },
    limits: { events: { points: 1000 } },
  },
  middleware: {
    a: async (ctx, next) => {
      if (ctx.query.refuse) throw new Error('no');
      await next();
    },
  },
  router: ({ io }) => {
    io.route('say', () => 'said');
    io.of('/chat').route('say', () => 'said');
    io.of('/chat').route('broken', () => {
      throw new TypeError('broken');
    });
    io.of('/chat').route('forbidden', (ctx) => ctx.throw(403, 'no'));
    io.of('/room/:id').route('enter', () => 'entered');
  },
};

/** Returns the values of a metric by the value of one of its labels, of the samples that have all given labels. */
async function read(app: Application, name: string, label?: string, suffix = ''): Promise<Record<string, number>> {
  const samples = parse(await app.io.metrics()).get(name)?.samples ?? assert.fail(`no ${name}`);
  const found = samples.filter((sample) => sample.name === name + suffix);
  return Object.fromEntries(found.map(({ labels, value }) => [label === undefined ? '' : labels[label], value]));
}

/** Returns how many events each method has, with its code and the type of its error. */
function callsOf(samples: Sample[]): Record<string, number> {
  const counts = samples.filter(({ name }) => name.endsWith('_count'));
  return Object.fromEntries(
    counts.map(({ labels: { rpc_method, rpc_response_status_code, error_type }, value }) => [
      [rpc_method, rpc_response_status_code, error_type].filter((each) => each !== undefined).join(' '),
      value,
    ]),
  );
}

async function calls(app: Application): Promise<Record<string, number>> {
  return callsOf(parse(await app.io.metrics()).get(METHOD)?.samples ?? []);
}

parity('app.io.metrics()', () => {
  it('should agree with app.io.stats(), with no open connection after the last disconnect', async () => {
    const { app, client, connect } = await startInline(CHAT);
    logs(app);
    const clients = [
      await connect('/chat'),
      await connect('/chat'),
      await connect('/room/7'),
      await connect('/room/8'),
    ];
    const outsider = client('/chat', { query: { refuse: '1' } });
    await refused(outsider);
    const [chat, , room] = clients;
    for (const event of ['say', 'say', 'broken', 'forbidden', 'nobody']) await chat?.emitWithAck(event);
    await room?.emitWithAck('enter');
    assert.deepEqual(await calls(app), {
      '/chat/say': 2,
      '/chat/broken TypeError': 1,
      '/chat/forbidden 403': 1,
      '_OTHER NO_ROUTE': 1,
      '/room/:id/enter': 1,
    });
    const { namespaces, connections, protocols, events } = app.io.stats();
    assert.equal(events.total, 6);
    assert.deepEqual(await read(app, 'socketio_server_sockets', 'socketio_namespace'), {
      '/': namespaces['/']?.now,
      '/chat': 2,
      '/room/:id': 2,
    });
    const active = parse(await app.io.metrics()).get('socketio_server_active_connections')?.samples ?? [];
    for (const { labels, value } of active) {
      const { socketio_protocol, socketio_transport } = labels;
      const ofProtocol = protocols[Number(socketio_protocol) as 3 | 4];
      assert.equal(value, ofProtocol[socketio_transport as 'polling']);
    }
    assert.equal(
      active.reduce((sum, { value }) => sum + value, 0),
      connections.now,
    );
    const admissions = parse(await app.io.metrics()).get('socketio_server_admissions_total')?.samples ?? [];
    const ofChat = admissions.filter(({ labels }) => labels.socketio_namespace === '/chat').map(({ value }) => value);
    assert.deepEqual(ofChat, [namespaces['/chat']?.total, namespaces['/chat']?.refused]);

    for (const { io } of [...clients, outsider]) io.engine.close();
    await until('all have disconnected', () => app.io.engine.clientsCount === 0);
    const after = parse(await app.io.metrics());
    for (const name of [
      'socketio_server_active_connections',
      'socketio_server_sockets',
      'socketio_server_active_events',
    ]) {
      for (const { labels, value } of after.get(name)?.samples ?? []) assert.equal(value, 0, JSON.stringify(labels));
    }
    const ended = await read(
      app,
      'socketio_server_connection_duration_seconds',
      'socketio_disconnect_reason',
      '_count',
    );
    assert.deepEqual(Object.keys(ended).length > 0 && Object.keys(ended).filter((reason) => reason === '_OTHER'), []);
  });
});

describe('app.io.metrics()', () => {
  it('should have the names, units and types of all instruments', async () => {
    const { app } = await startInline(CHAT);
    const families = parse(await app.io.metrics());
    const instruments = [CALL_DURATION, CONNECTION_DURATION, ...OBSERVED];
    assert.deepEqual([...families.keys()].sort(), instruments.map(prometheusNameOf).sort());
    for (const { name, attributes } of instruments) {
      for (const each of [name, ...attributes]) assert.match(each, /^(rpc|error|socketio)\./);
    }
    const types = { counter: 'counter', updown: 'gauge', gauge: 'gauge' };
    for (const instrument of instruments) {
      const { type, help, samples } = families.get(prometheusNameOf(instrument)) ?? assert.fail();
      assert.equal(type, 'kind' in instrument ? types[instrument.kind] : 'histogram');
      assert.equal(help, instrument.description);
      const labels = new Set(instrument.attributes.map((name) => name.replaceAll('.', '_')));
      for (const sample of samples)
        assert.deepEqual(
          Object.keys(sample.labels).filter((name) => !labels.has(name)),
          [],
        );
    }
    assert.deepEqual(
      ['socketio.server.unsent', 'socketio.server.limited', 'rpc.server.call.duration'].map((name) =>
        prometheusNameOf(instruments.find((each) => each.name === name) ?? assert.fail()),
      ),
      ['socketio_server_unsent_bytes', 'socketio_server_limited_total', METHOD],
    );
  });

  it('should have one series for all events that have no route, whatever clients call them', async () => {
    const { app, connect } = await startInline({ ...CHAT, io: { ...CHAT.io, limits: false } });
    const chat = await connect('/chat');
    const hostile = ['__proto__', 'constructor', 'a"b', 'a\nb 1', '{}', '\\', '', '*', '_OTHER', 'x'.repeat(5000)];
    for (const event of hostile) chat.emit(event);
    for (let i = 0; i < 10_000; i++) chat.emit(`event-${i}`);
    await chat.emitWithAck('say');
    assert.deepEqual(await calls(app), { '_OTHER NO_ROUTE': hostile.length + 10_000, '/chat/say': 1 });
  });

  it('should have one series for all namespaces of a pattern, and no names that clients choose', async () => {
    const { app, connect, client } = await startInline(CHAT);
    logs(app);
    for (let i = 0; i < 30; i++) await (await connect(`/room/${i}"\\`)).emitWithAck('enter');
    await refused(client('/nobody-knows"'));
    assert.deepEqual(await calls(app), { '/room/:id/enter': 30 });
    assert.deepEqual(Object.keys(await read(app, 'socketio_server_sockets', 'socketio_namespace')).sort(), [
      '/',
      '/chat',
      '/room/:id',
    ]);
  });

  it('should have at most 100 codes and types of errors, which are identifiers', async () => {
    const { app, connect } = await startInline({
      io: { ack: 'auto', metrics: true },
      router: ({ io }) => {
        io.route('fail', ({ args: [code, name, isFault] }) => {
          throw Object.assign(new Error('no'), { code, name, expose: !isFault });
        });
        io.route('odd', () => {
          throw Object.defineProperty(new Error('no'), 'code', {
            get: () => {
              throw new Error('unreadable');
            },
          });
        });
        io.route('text', () => {
          throw 'a text';
        });
      },
    });
    logs(app);
    const client = await connect();
    await client.emitWithAck('fail', 'a code "of a client"\n', 'a name', true);
    await client.emitWithAck('text');
    await client.emitWithAck('odd');
    assert.deepEqual(await calls(app), {
      '/fail _OTHER _OTHER': 1,
      '/text NonErrorThrown': 1,
      '/odd _OTHER': 1,
    });
    for (let i = 0; i < 300; i++) client.emit('fail', `CODE_${i}`, `Name${i}`, true);
    await client.emitWithAck('text');
    const series = Object.keys(await calls(app));
    assert(series.length < 210, String(series.length));
  });

  it('should count what limits have refused, handshakes, messages of the adapter and bytes', async () => {
    const { app, connect, url } = await startInline({ ...CHAT, io: { ...CHAT.io, limits: { events: { points: 1 } } } });
    logs(app);
    const chat = await connect('/chat');
    for (let i = 0; i < 3; i++) await chat.emitWithAck('say');
    assert.equal((await fetch(`${url}/socket.io/?EIO=4&transport=carrier-pigeon`)).status, 400);
    assert.equal((await read(app, 'socketio_server_limited_total', 'socketio_limit')).events, 2);
    assert.deepEqual(await calls(app), { '/chat/say': 1, '/chat/say RATE_LIMITED': 2 });
    const handshakes = await read(app, 'socketio_server_handshakes_total', 'socketio_handshake_outcome');
    assert.deepEqual([handshakes.accepted, handshakes.unknown_transport], [1, 1]);
    assert.deepEqual(await read(app, 'socketio_server_adapter_up', 'socketio_adapter'), { memory: 1 });
    assert.deepEqual(await read(app, 'socketio_server_unsent_bytes'), { '': 0 });
  });

  it('should count events while they are handled, and the connections of old clients', async () => {
    const held = signal();
    const { app, url } = await startInline({
      io: { init: { allowEIO3: true } },
      router: ({ io }) => io.route('wait', () => held.promise),
    });
    for (const kind of [NEW, ...OLD]) (await connected(track(url, {}, kind))).emit('wait');
    await until('the events are handled', () => app.io.stats().events.inFlight === 3);
    assert.deepEqual(await read(app, 'socketio_server_active_events'), { '': 3 });
    const active = parse(await app.io.metrics()).get('socketio_server_active_connections')?.samples ?? [];
    const open = active.filter(({ value }) => value > 0).map(({ labels, value }) => [labels.socketio_protocol, value]);
    assert.deepEqual(open, [
      ['3', 2],
      ['4', 1],
    ]);
    held.resolve();
    await until('no event is handled', () => app.io.stats().events.inFlight === 0);
    assert.deepEqual(await read(app, 'socketio_server_active_events'), { '': 0 });
  });

  it('should measure durations from the first call on by default, and of its own application only', async () => {
    const [one, other] = [await startInline({ ...CHAT, io: { ack: 'auto' } }), await startInline(CHAT)];
    const [client, foreign] = [await one.connect(), await other.connect()];
    await client.emitWithAck('say');
    assert.deepEqual(await calls(one.app), {});
    await client.emitWithAck('say');
    await foreign.emitWithAck('say');
    await foreign.emitWithAck('say');
    assert.deepEqual(await calls(one.app), { '/say': 1 });
    assert.deepEqual(await calls(other.app), { '/say': 2 });
    assert.equal((await read(one.app, 'socketio_server_sockets', 'socketio_namespace'))['/'], 1);
    foreign.disconnect();
    await until('the client has left', () => other.app.io.sockets.sockets.size === 0);
    const ended = ({ app }: { app: Application }) =>
      read(app, 'socketio_server_connection_duration_seconds', undefined, '_count');
    assert.deepEqual(await ended(one), {});
    assert.deepEqual(await ended(other), { '': 1 });
  });

  it('should be in the registry of the application until it is closed', async () => {
    const register = new Registry();
    new Counter({ name: 'orders_total', help: 'Orders', registers: [register] }).inc(3);
    const { app, connect, close } = await startInline({ ...CHAT, io: { ...CHAT.io, metrics: { register } } });
    assert.equal((app.config.io.metrics as { register: Registry }).register, register);
    await (await connect()).emitWithAck('say');
    const families = parse(await register.metrics());
    assert.equal(families.get('orders_total')?.samples[0]?.value, 3);
    assert.deepEqual(callsOf(families.get(METHOD)?.samples ?? []), { '/say': 1 });
    assert.deepEqual([...parse(await app.io.metrics()).keys()], [...families.keys()]);
    await close();
    assert.deepEqual([...parse(await register.metrics()).keys()], ['orders_total']);
  });

  it('should say what to install without prom-client', async () => {
    const { app } = await startInline({ io: {} });
    const load = (Module as unknown as { _load(...args: unknown[]): unknown })._load;
    const missing = (request: string, ...rest: unknown[]) => {
      if (request === 'prom-client') throw new Error("Cannot find module 'prom-client'\nRequire stack: …");
      return load(request, ...rest);
    };
    Object.assign(Module, { _load: missing });
    try {
      await assert.rejects(app.io.metrics(), /run "npm install prom-client@15"\. Cannot find module 'prom-client' \(/);
      assert.match((await bootError({ io: { metrics: true } })).message, /run "npm install prom-client@15"/);
    } finally {
      Object.assign(Module, { _load: load });
    }
    parse(await app.io.metrics());
  });

  it('should refuse a wrong configuration', async () => {
    const wrong: Array<[unknown, RegExp]> = [
      ['prometheus', /config\.io\.metrics is 'prometheus'; allowed: true, false or \{ register \}/],
      [{ registry: {} }, /config\.io\.metrics\.registry|registry/],
      [{ register: {} }, /config\.io\.metrics\.register is \{\}; allowed: a registry of prom-client/],
    ];
    for (const [metrics, message] of wrong) {
      assert.match((await bootError({ io: { metrics } as IoConfig })).message, message);
    }
  });
});

describe('the meter of OpenTelemetry', () => {
  class Reader extends MetricReader {
    protected override async onForceFlush(): Promise<void> {}
    protected override async onShutdown(): Promise<void> {}
  }

  /** Registers a provider of meters, and returns a function that collects its metrics by name. */
  function provide() {
    const reader = new Reader();
    const provider = new MeterProvider({ readers: [reader] });
    assert(api.metrics.setGlobalMeterProvider(provider));
    return async () => {
      const { resourceMetrics, errors } = await reader.collect();
      assert.deepEqual(errors, []);
      const [scope, ...others] = resourceMetrics.scopeMetrics;
      assert.deepEqual(others, []);
      if (scope !== undefined) assert.equal(scope.scope.name, 'egg-socket.io');
      return new Map(scope?.metrics.map((metric) => [metric.descriptor.name, metric]));
    };
  }

  afterEach(() => api.metrics.disable());

  it('should have the same instruments and the same values as app.io.metrics()', async () => {
    const collect = provide();
    const { app, connect, client, close } = await startInline(CHAT);
    logs(app);
    const chat = await connect('/chat');
    await refused(client('/chat', { query: { refuse: '1' } }));
    for (const event of ['say', 'broken', 'nobody']) await chat.emitWithAck(event);
    const room = await connect('/room/1');
    await room.emitWithAck('enter');
    chat.disconnect();
    await until('the client has disconnected', () => app.io.stats().namespaces['/chat']?.now === 0);
    const metrics = await collect();
    const families = parse(await app.io.metrics());
    for (const instrument of [CALL_DURATION, CONNECTION_DURATION, ...OBSERVED]) {
      const metric = metrics.get(instrument.name) ?? assert.fail(`no ${instrument.name}`);
      assert.equal(metric.descriptor.unit, instrument.unit);
      assert.equal(metric.descriptor.description, instrument.description);
      const { samples } = families.get(prometheusNameOf(instrument)) ?? assert.fail();
      const mine = metric.dataPoints.map(({ attributes, value }) => {
        const labels = Object.entries(attributes).map(([name, each]) => [name.replaceAll('.', '_'), each]);
        const count =
          typeof value === 'number' ? value : (value as HistogramMetricData['dataPoints'][number]['value']).count;
        return JSON.stringify([Object.fromEntries(labels), count]);
      });
      const theirs = samples
        .filter(({ name }) => !/_(bucket|sum)$/.test(name))
        .map(({ labels, value }) => JSON.stringify([labels, value]));
      assert.deepEqual(mine.sort(), theirs.sort(), instrument.name);
    }
    const [point] = metrics.get(CALL_DURATION.name)?.dataPoints ?? [];
    const { boundaries } = (point as HistogramMetricData['dataPoints'][number]).value.buckets;
    assert.deepEqual(boundaries, CALL_DURATION.buckets);
    assert(hasSubscribers('tracing:egg-socket.io:event:asyncEnd'));
    await close();
    assert(!hasSubscribers('tracing:egg-socket.io:event:asyncEnd'));
    assert(!hasSubscribers('egg-socket.io:disconnect'));
  });

  it('should have nothing if config.io.otel is false', async () => {
    const collect = provide();
    const { connect } = await startInline({ ...CHAT, io: { ...CHAT.io, metrics: false, otel: false } });
    await (await connect()).emitWithAck('say');
    assert.deepEqual((await collect()).size, 0);
    assert(!hasSubscribers('tracing:egg-socket.io:event:start'));
  });

  it('should begin with the first connection after a provider is registered', async () => {
    const { connect } = await startInline({ ...CHAT, io: { ...CHAT.io, metrics: false } });
    const early = await connect();
    await early.emitWithAck('say');
    const collect = provide();
    await early.emitWithAck('say');
    const late = await connect();
    await late.emitWithAck('say');
    const [point] = (await collect()).get(CALL_DURATION.name)?.dataPoints ?? [];
    assert.deepEqual(point?.attributes, { 'rpc.system.name': 'socket.io', 'rpc.method': '/say' });
    assert.equal((point as HistogramMetricData['dataPoints'][number]).value.count, 1);
  });

  it('should accept connections if the meter cannot create instruments, and log that', async () => {
    const { app, connect } = await startInline({ ...CHAT, io: { ...CHAT.io, metrics: false, otel: false } });
    const { error } = logs(app);
    let meter: object = api.createNoopMeter();
    const stop = startOtelMetrics(app, { ...api, metrics: { getMeter: () => meter } as never });
    await connect();
    assert.equal(error.length, 0);
    meter = {
      createHistogram: () => {
        throw new Error('a fault of the SDK');
      },
    };
    assert.equal(await (await connect()).emitWithAck('say'), 'said');
    assert.match(error[0]?.message, /a fault of the SDK/);
    stop();
  });

  it('should log a fault of the SDK, and not end the worker', async () => {
    const { app, connect } = await startInline({ ...CHAT, io: { ...CHAT.io, metrics: false, otel: false } });
    const { error } = logs(app);
    provide();
    const meter = api.metrics.getMeter('egg-socket.io');
    const broken = {
      record: () => {
        throw new Error('a fault of the SDK');
      },
    };
    const faulty = Object.assign(Object.create(meter), { createHistogram: () => broken });
    const stop = startOtelMetrics(app, { ...api, metrics: { getMeter: () => faulty } as never });
    assert.equal(await (await connect()).emitWithAck('say'), 'said');
    await until('the fault is logged', () => error.some(({ message }) => /a fault of the SDK/.test(message)));
    stop();
  });
});

describe('docs/en/observability.md', () => {
  const page = readFileSync(path.join(ROOT, 'docs/en/observability.md'), 'utf8');

  it('should list all instruments, and name no other metric', async () => {
    const { app } = await startInline(CHAT);
    const families = [...parse(await app.io.metrics()).keys()];
    const named = (page.match(/\b(?:rpc|socketio)_server_\w+/g) ?? []).map((name) =>
      name.replace(/_(bucket|count)$/, ''),
    );
    assert.deepEqual([...new Set(named)].sort(), families.sort());
    const rows = [...page.matchAll(/^\| `([\w.]+)`[^|]*\| `(\w+)` \| ?(.*?) ?\|$/gm)];
    const listed = rows.filter(([, name = '']) => /^(rpc|socketio)\.server\./.test(name));
    assert.deepEqual(
      listed.map(([, name, prometheus, attributes]) => [name, prometheus, attributes]),
      [CALL_DURATION, CONNECTION_DURATION, ...OBSERVED].map((instrument) => [
        instrument.name,
        prometheusNameOf(instrument),
        instrument.attributes.map((name) => `\`${name}\``).join(', '),
      ]),
    );
  });

  it('should show a route that needs a token', async () => {
    const code = /### A route for Prometheus.*?\nexport default \(app: Application\) => (.*?);\n```/s.exec(page)?.[1];
    process.env.METRICS_TOKEN = 'secret';
    try {
      const router = new Function('app', `return (${`(app) => ${code}`})(app)`) as (app: Application) => void;
      const { app, url } = await startInline({ ...CHAT, router });
      logs(app);
      assert.equal((await fetch(`${url}/metrics`)).status, 401);
      assert.equal((await fetch(`${url}/metrics`, { headers: { authorization: 'Bearer undefined' } })).status, 401);
      const response = await fetch(`${url}/metrics`, { headers: { authorization: 'Bearer secret' } });
      assert.equal(response.headers.get('content-type'), Registry.PROMETHEUS_CONTENT_TYPE);
      assert(parse(await response.text()).has(METHOD));
    } finally {
      delete process.env.METRICS_TOKEN;
    }
  });
});

describe('docs/grafana.json', () => {
  it('should use names of metrics that app.io.metrics() has', async () => {
    const dashboard = JSON.parse(readFileSync(path.join(ROOT, 'docs/grafana.json'), 'utf8'));
    const targets: Array<{ expr: string; legendFormat: string }> = dashboard.panels.flatMap(
      (panel: { targets?: object[] }) => panel.targets ?? [],
    );
    assert(targets.length > 10);
    const { app } = await startInline(CHAT);
    const families = parse(await app.io.metrics());
    const known = new Set(
      [...families].flatMap(([name, { type }]) =>
        type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
      ),
    );
    const labels = new Set(
      ['le', 'instance', 'job'].concat(
        [CALL_DURATION, CONNECTION_DURATION, ...OBSERVED].flatMap(({ attributes }) => attributes),
      ),
    );
    const used = new Set<string>();
    for (const { expr, legendFormat } of targets) {
      const names = expr.match(/\b(rpc|socketio)_server_\w+/g) ?? assert.fail(`no metric: ${expr}`);
      for (const name of names) {
        assert(known.has(name), `${name} in ${expr}`);
        used.add(name.replace(/_(bucket|sum|count)$/, ''));
      }
      const isLabel = (name: string) => [...labels].some((label) => label.replaceAll('.', '_') === name);
      const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/, */));
      const matched = [...expr.matchAll(/[{,] *(\w+) *(?:=~|!~|!=|=)/g)].map(([, name = '']) => name);
      for (const name of [...grouped, ...matched]) assert(isLabel(name), `${name} in ${expr}`);
      for (const [, name = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        assert(grouped.includes(name), `${name} of ${expr}`);
    }
    const unused = [...families.keys()].filter((name) => !used.has(name));
    assert.deepEqual(unused, []);
  });

  it('should be in the package, and have panels with a place, a title and a unit', () => {
    const { files } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
    assert(files.includes('docs/grafana.json'));
    const { panels, title } = JSON.parse(readFileSync(path.join(ROOT, 'docs/grafana.json'), 'utf8'));
    assert.match(title, /Socket\.IO/);
    const ids = panels.map(({ id }: { id: number }) => id);
    assert.equal(new Set(ids).size, panels.length);
    for (const { title: name, gridPos, type, fieldConfig } of panels) {
      assert(name);
      assert(gridPos.x + gridPos.w <= 24);
      if (type !== 'row') assert(fieldConfig.defaults.unit, name);
    }
  });
});
