// app.io, created when it is first read.
import type { Application } from 'egg';
import { connectCounter, rejectOwnAdapter } from '../../lib/adapters/select';
import type { Compat } from '../../lib/compat/compat';
import { configOf, type ResolvedConfig } from '../../lib/config/config';
import { resolveRateLimit } from '../../lib/config/limits';
import { loadWsEngine } from '../../lib/config/server-options';
import { reportingOf } from '../../lib/error-response';
import { namespacesLimit } from '../../lib/limits/namespaces';
import { RateLimits } from '../../lib/limits/rate-limit';
import { LimitReport } from '../../lib/limits/report';
import { IoServer } from '../../lib/server';
import { Users } from '../../lib/users';

const IO = Symbol('egg-socket.io:io');

type App = Application & { [IO]?: IoServer };

export default {
  /** Socket.IO's server of this worker. */
  get io(): IoServer {
    return create(this as unknown as App);
  },
};

function create(app: App): IoServer {
  if (app[IO] === undefined) {
    const config = configOf(app);
    const { init, onerror, user } = config;
    const reporting = reportingOf(app, onerror);
    const users = new Users(app, user);
    const compat = compatOf(app, config);
    const max = config.limits.namespaces;
    const limitClients =
      max === undefined ? undefined : (io: IoServer) => namespacesLimit(max, LimitReport.of(app, io));
    const check = (where: string, limit: unknown) => resolveRateLimit(where, limit, user !== undefined);
    const rateLimits = new RateLimits(app, () => connectCounter(app), check);
    const createMetrics = () => {
      const { PrometheusMetrics } =
        require('../../lib/telemetry/prometheus') as typeof import('../../lib/telemetry/prometheus');
      return new PrometheusMetrics(app, config.metrics?.register);
    };
    const options = { ...config, limitClients, rateLimits, users, compat, createMetrics };
    app[IO] = new IoServer(loadWsEngine(init, app.baseDir), reporting, options);
    rejectOwnAdapter(app[IO], config);
  }
  return app[IO];
}

/** Creates Socket.IO 2's API, which is loaded only if `config.io.compat` is set. */
function compatOf(app: Application, { origins, requestsTimeout }: ResolvedConfig): Compat | undefined {
  if (origins === undefined) return undefined;
  const { Compat } = require('../../lib/compat/compat') as typeof import('../../lib/compat/compat');
  return new Compat(app.coreLogger, origins, requestsTimeout);
}
