// OpenTelemetry in an application of two workers, with the files of docs/en/observability.md: its SDK, an instrumented database, and the
// instrumentation of Socket.IO.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SpanKind } from '@opentelemetry/api';
import type { Socket } from 'socket.io-client';
import { connected, EGG_MAJOR, FRAMEWORK, fixture, ROOT, track } from './support/app';
import { type Cluster, startCluster } from './support/cluster';
import { type RedisServer, startRedis } from './support/redis';
import { next, until } from './support/wait';

/** A line of support/otel-exporter.cjs. */
interface ExportedSpan {
  pid: number;
  scope: string;
  name: string;
  kind: SpanKind;
  attributes: Record<string, unknown>;
  traceId: string;
  spanId: string;
  parentId?: string;
  links: string[];
}

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CLICK = 'b7ad6b7169203331';
const OWN = 'egg-socket.io';
const baseDir = path.join(ROOT, `test/.tmp/otel-${EGG_MAJOR}`);
const spansFile = path.join(baseDir, 'spans.jsonl');

/** Creates the fixture with the files of the documentation. */
function makeApplication(): void {
  rmSync(baseDir, { recursive: true, force: true });
  cpSync(fixture('otel'), baseDir, { recursive: true });
  const text = readFileSync(path.join(ROOT, 'docs/en/observability.md'), 'utf8');
  for (const name of ['telemetry.cjs', 'app.js']) {
    const code = new RegExp(`^\`${name}\`[^\`]*\`\`\`js\n(.*?)^\`\`\``, 'ms').exec(text)?.[1];
    assert(code, name);
    writeFileSync(path.join(baseDir, name), code);
  }
  writeFileSync(
    path.join(baseDir, 'config/plugin.js'),
    `exports.io = { enable: true, path: ${JSON.stringify(ROOT)} };`,
  );
  const exporter = path.join(baseDir, 'node_modules/@opentelemetry/exporter-trace-otlp-http');
  mkdirSync(exporter, { recursive: true });
  cpSync(require.resolve('./support/otel-exporter.cjs'), path.join(exporter, 'index.js'));
  symlinkSync(FRAMEWORK, path.join(baseDir, 'node_modules/egg'));
}

function spans(): ExportedSpan[] {
  if (!existsSync(spansFile)) return [];
  const lines = readFileSync(spansFile, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as ExportedSpan);
}

const spanOf = (name: string, of: ExportedSpan[] = spans()) => of.filter((span) => span.name === name);

/** Starts the application with two workers. */
async function startApplication(redis: RedisServer, preloaded: string[], env = {}): Promise<Cluster> {
  rmSync(spansFile, { force: true });
  const files = ['support/register.cjs', ...preloaded].map((file) => require.resolve(path.resolve(__dirname, file)));
  return startCluster(
    'otel',
    { baseDir, workers: 2, require: files },
    { REDIS_PORT: `${redis.port}`, SPANS_FILE: spansFile, OTEL_BSP_SCHEDULE_DELAY: '50', EGG_HOME: baseDir, ...env },
  );
}

/** Connects a client to each worker, which both enter the room. Returns them with the ids of the workers. */
async function clients({ url }: Cluster): Promise<Array<[client: Socket, pid: number]>> {
  const found = new Map<number, Socket>();
  await until('a client to be connected to each worker', async () => {
    const client = await connected(track(`${url}/chat`));
    const pid: number = await client.emitWithAck('enter');
    if (found.has(pid)) client.disconnect();
    else found.set(pid, client);
    return found.size === 2;
  });
  return Array.from(found, ([pid, client]) => [client, pid]);
}

const TELEMETRY = path.join(baseDir, 'telemetry.cjs');

describe('OpenTelemetry with two workers', () => {
  let redis: RedisServer;
  before(async () => {
    makeApplication();
    redis = await startRedis();
  });
  after(async () => {
    await redis.stop();
    rmSync(baseDir, { recursive: true, force: true });
  });

  async function say(cluster: Cluster): Promise<{ pids: number[]; trace: ExportedSpan[] }> {
    const [[first, pid], [second, other]] = (await clients(cluster)) as [[Socket, number], [Socket, number]];
    const said = [next(first, 'said'), next(second, 'said')];
    const traceparent = `00-${TRACE_ID}-${CLICK}-01`;
    assert.equal(await first.emitWithAck('say', 'hello', { traceparent }), 'said');
    for (const event of said) assert.deepEqual(await event, ['hello']);
    assert.equal(await first.emitWithAck('by hand'), 'by hand');
    await until('the event to be exported', () => spanOf('/chat/say').length > 0);
    await until('the last event to be exported', () => spanOf('/chat/_OTHER').length > 0);
    await until('the delivery to be exported', () => spanOf('deliver /chat').length > 0);
    return { pids: [pid, other], trace: spans().filter(({ traceId }) => traceId === TRACE_ID) };
  }

  for (const [title, env] of Object.entries({ links: {}, Redis: { OVER_REDIS: 'redis-sharded' } })) {
    it(`should have one trace from the click to the delivery on the other worker, over ${title}, with the files of docs/en/observability.md`, async () => {
      const cluster = await startApplication(redis, [TELEMETRY], env);
      try {
        const { pids, trace } = await say(cluster);
        const [event] = spanOf('/chat/say', trace) as [ExportedSpan];
        const [broadcast] = spanOf('broadcast /chat', trace) as [ExportedSpan];
        const seen = trace.map(({ name, kind, parentId, pid }) => [name, kind, parentId, pid]);
        const [own, other] = pids;
        // The plugin's own commands have no spans: their channels and keys contain the names of rooms and users.
        assert.deepEqual(seen.sort(), [
          ['/chat/say', SpanKind.SERVER, CLICK, own],
          ['broadcast /chat', SpanKind.PRODUCER, event.spanId, own],
          ['deliver /chat', SpanKind.CONSUMER, broadcast.spanId, other],
          ['set', SpanKind.CLIENT, event.spanId, own],
        ]);
        const connections = spanOf('connect /chat').map(({ spanId }) => spanId);
        assert(event.links.length === 1 && connections.includes(event.links[0]!));
        assert.doesNotMatch(JSON.stringify(spans()), /secret/);
      } finally {
        await cluster.close();
      }
    });
  }

  it('should have one span for each event and each broadcast beside the instrumentation of Socket.IO', async () => {
    const cluster = await startApplication(redis, [TELEMETRY, 'support/otel-socket-io.cjs'], {
      OVER_REDIS: 'redis',
    });
    try {
      const { trace } = await say(cluster);
      const [event] = spanOf('/chat/say', trace) as [ExportedSpan];
      const servers = trace.filter(({ kind, name }) => kind === SpanKind.SERVER || /^receive/.test(name));
      assert.deepEqual(
        servers.map(({ name, scope }) => [name, scope]),
        [['/chat/say', OWN]],
      );
      const producers = trace.filter(({ kind }) => kind === SpanKind.PRODUCER);
      assert.deepEqual(
        producers.map(({ name, parentId, attributes }) => [name, parentId, attributes['socketio.rooms.count']]),
        [['send /chat', event.spanId, 1]],
      );
      assert.equal(spanOf('deliver /chat', trace)[0]?.parentId, producers[0]?.spanId);
      // What is documented of listeners that are added by hand.
      const [other] = spanOf('/chat/_OTHER') as [ExportedSpan];
      const below = () => spans().filter(({ traceId, spanId }) => traceId === other.traceId && spanId !== other.spanId);
      await until('the span of the listener to be exported', () => below().length > 0);
      assert.deepEqual(
        below().map(({ name, parentId }) => [name, parentId]),
        [['receive /chat', other.spanId]],
      );
    } finally {
      await cluster.close();
    }
  });
});
