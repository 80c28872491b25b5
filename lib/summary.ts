// The line of the log that says what was chosen. Called by app.ts when everything is there.
import type { Application } from 'egg';
import { resolveConfig } from './config';
import { adapterOf, hostOf, needsHandover } from './host';

/** What a worker has chosen, in one line. */
export function summary(app: Application): string {
  const { init } = resolveConfig(app.config.io);
  const adapter = adapterOf(app);
  const { workers, sticky } = hostOf(app);
  const parts = {
    namespaces: app.io.names().join(', '),
    path: app.io.path(),
    transports: (init.transports ?? ['polling', 'websocket']).join(', '),
    adapter: adapter === 'own' ? "the application's own" : adapter,
    workers: `${workers}${sticky ? ' (sticky)' : ''}`,
    handover: needsHandover(app) ? 'on' : 'off',
  };
  const said = Object.entries(parts).map(([name, value]) => `${name}: ${value}`);
  return `[egg-socket.io] ${said.join('; ')}`;
}
