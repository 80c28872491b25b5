// The boot hooks of a worker: an index of what happens when.
import type { Application } from 'egg';
import { type InstalledAdapter, loadRedis, useAdapter } from './lib/adapters/select';
import { listenToAgent } from './lib/agent/relay';
import { bindNamespaces, summary } from './lib/boot';
import { clientLogOf } from './lib/client-log';
import { configOf, namingFile } from './lib/config/config';
import { hidePassword } from './lib/config/redis-password';
import { adapterOf, drainWarnings, hostWarnings } from './lib/config/topology';
import { drain, drainConnection, drainOnDisconnect } from './lib/drain';
import { attach, detach } from './lib/engine';
import { assertSupported } from './lib/internals/assert-supported';
import { registerBeforeClose } from './lib/internals/egg';
import { loadIo } from './lib/loader';
import { originWarnings } from './lib/origins';
import type { TeggApplication, TeggControllers } from './lib/tegg/controllers';
import { Workers } from './lib/workers/workers';

export default class IoBoot {
  #drained: Promise<unknown> | undefined;
  #workers: Workers | undefined;
  #adapter: InstalledAdapter | undefined;
  #controllers: TeggControllers | undefined;
  #endAccessLog: (() => void) | undefined;
  #endOtel: (() => void) | undefined;
  /** Loads app/io, unless it is loaded. */
  #load: (() => unknown) | undefined;

  constructor(private readonly app: Application) {}

  configWillLoad(): void {
    hidePassword(this.app.config);
  }

  configDidLoad(): void {
    const { app } = this;
    const warn = (warning: string) => app.coreLogger.warn(warning);
    assertSupported(app, warn);
    const { warnings } = configOf(app);
    namingFile(app, () => adapterOf(app));
    for (const warning of [...warnings, ...originWarnings(app), ...drainWarnings(app), ...hostWarnings(app)])
      warn(`[egg-socket.io] ${warning}`);
    const workers = new Workers(app, (sid) => drainConnection(app, sid));
    this.#workers = workers;
    this.#load = loadIo(app);
    this.#controllers = teggControllers(app);
    app.on('server', (server) => {
      const engine = attach(app, server, workers.generateSessionId);
      if (engine) workers.attach(engine);
    });
  }

  async didLoad(): Promise<void> {
    await loadRedis(this.app);
  }

  // Not in didLoad: an application of ES modules on Egg 4 is still loading its middleware and its router then.
  async willReady(): Promise<void> {
    await this.#load?.();
    // Not earlier: the application may install an adapter of its own.
    this.#adapter = useAdapter(this.app, this.#workers as Workers);
    this.#controllers?.add();
    namingFile(this.app, () => bindNamespaces(this.app));
    namingFile(this.app, () => this.#useAdmin());
    namingFile(this.app, () => this.#startOtel());
    this.#startAccessLog();
    if (configOf(this.app).metrics !== undefined) namingFile(this.app, () => this.app.io.startMetrics());
    listenToAgent(this.app);
    await this.#adapter.ready;
    await this.#workers?.open();
    await this.#adapter.join();
    this.app.io.presences.open((this.#workers as Workers).workerId);
    this.#drainFirst();
    drainOnDisconnect(this.app, () => this.#drain());
  }

  didReady(err?: Error): void {
    if (!err) this.app.coreLogger.info(summary(this.app));
  }

  async serverDidReady(): Promise<void> {
    // In a later turn: applications register functions in this hook, too.
    setImmediate(() => {
      try {
        this.#drainFirst();
      } catch {
        // The application is closing already. The first registration drains.
      }
    });
  }

  #useAdmin(): void {
    const { app } = this;
    const { admin } = configOf(app);
    if (admin === undefined || app.io.admin === undefined) return;
    const { useAdmin } = require('./lib/admin-ui') as typeof import('./lib/admin-ui');
    useAdmin(app, admin, app.io.admin);
  }

  #startAccessLog(): void {
    const { accessLog } = configOf(this.app);
    if (accessLog === undefined) return;
    const { startAccessLog } = require('./lib/access-log') as typeof import('./lib/access-log');
    this.#endAccessLog = startAccessLog(this.app, accessLog);
  }

  #startOtel(): void {
    const { otel } = configOf(this.app);
    if (otel === undefined) return;
    const { loadApi } = require('./lib/telemetry/api') as typeof import('./lib/telemetry/api');
    const api = loadApi(this.app, otel);
    if (api === undefined) return;
    const { startTracing } = require('./lib/telemetry/tracing') as typeof import('./lib/telemetry/tracing');
    const { startOtelMetrics } =
      require('./lib/telemetry/otel-metrics') as typeof import('./lib/telemetry/otel-metrics');
    const started = [startTracing(this.app, api, otel), startOtelMetrics(this.app, api)];
    this.#endOtel = () => {
      for (const end of started) end();
    };
  }

  /** Egg calls last registered functions first: connections drain while the application still has what its handlers need. */
  #drainFirst(): void {
    registerBeforeClose(this.app, async () => {
      await this.#drain();
    });
  }

  #drain(): Promise<unknown> {
    this.#drained ??= Promise.all([drain(this.app), this.#workers?.leave()]);
    return this.#drained;
  }

  async beforeClose(): Promise<void> {
    this.app.io.presences.close();
    await detach(this.app);
    await Promise.all([this.#adapter?.close(), this.#workers?.close()]);
    this.app.io.rateLimits.close();
    clientLogOf(this.app).close();
    this.#endAccessLog?.();
    this.app.io.closeMetrics();
    this.#endOtel?.();
  }
}

/** Undefined if the application does not enable tegg. */
function teggControllers(app: Application): TeggControllers | undefined {
  if (!('eggPrototypeLifecycleUtil' in app)) return undefined;
  const { TeggControllers } = require('./lib/tegg/controllers') as typeof import('./lib/tegg/controllers');
  return new TeggControllers(app as Application & TeggApplication);
}
