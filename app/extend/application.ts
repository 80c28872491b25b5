// app.io, made when it is first asked for.
import type { Application } from 'egg';
import { configOf } from '../../lib/config/config';
import { loadWsEngine } from '../../lib/config/server-options';
import { IoServer } from '../../lib/server';
import { Users } from '../../lib/users';

const IO = Symbol('egg-socket.io:io');

export default {
  /** Socket.IO's server of this worker. */
  get io(): IoServer {
    const app = this as unknown as Application & { [IO]?: IoServer };
    if (app[IO] === undefined) {
      const { init, onerror, namespace, user, ...rest } = configOf(app);
      const failures = { log: app.coreLogger, onerror };
      const options = { ...rest, names: [...namespace.keys()], users: new Users(app, user) };
      app[IO] = new IoServer(loadWsEngine(init, app.baseDir), failures, options);
    }
    return app[IO];
  },
};
