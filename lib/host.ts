// What this process is among those of its host, and what follows from that. Asked at boot.
import { type AdapterKind, chooseAdapter, type Host } from './adapter/config';
import { type IoConfig, resolveConfig } from './config';

/** An application or an agent. */
interface Process {
  config: { io: IoConfig };
}

/** What Egg's master was started with. */
interface Options extends Partial<Host> {
  clusterPort?: number;
  mode?: string;
}

function optionsOf(app: Process): Options {
  return (app as { options?: Options }).options ?? {};
}

/** How many workers there are, and whether Egg's `--sticky` shares the connections among them. */
export function hostOf(app: Process): Host {
  const { workers = 1, sticky } = optionsOf(app);
  return { workers: isCluster(app) ? workers : 1, sticky: sticky === true };
}

/** Whether agent and workers are processes of their own; not in Egg's single mode, which has no use for a number of workers. */
export function isCluster(app: Process): boolean {
  const { mode, workers } = optionsOf(app);
  return mode !== 'single' && workers !== undefined;
}

/** What the processes of one master have in common, and those of two masters have not. */
export function masterOf(app: Process): number {
  return optionsOf(app).clusterPort ?? process.ppid;
}

/**
 * Which adapter an application has.
 *
 * @throws {ConfigError} where config.io asks for what can't be
 */
export function adapterOf(app: Process): AdapterKind {
  return chooseAdapter(resolveConfig(app.config.io), hostOf(app));
}

/** Whether requests of one client may reach several workers: not where it has a single connection, or --sticky. */
export function needsHandover(app: Process): boolean {
  const { workers, sticky } = hostOf(app);
  const { transports } = resolveConfig(app.config.io).init;
  return workers > 1 && !sticky && (transports === undefined || transports.includes('polling'));
}

/** What is no error but looks like a mistake on this host, for the log. */
export function hostWarnings(app: Process): string[] {
  const { init, generateId, adapter } = resolveConfig(app.config.io);
  const { workers } = hostOf(app);
  const warnings: string[] = [];
  if (generateId && init.allowEIO3 && needsHandover(app)) {
    warnings.push(
      'clients of Socket.IO 2 that begin with long-polling reach their worker only with --sticky: config.io.generateId makes their session ids, which then do not tell it. Others are not concerned',
    );
  }
  if (workers > 1 && adapter === 'memory') {
    warnings.push(
      `config.io.adapter 'memory' carries nothing to other workers, and there are ${workers}: 'cluster' does`,
    );
  }
  return warnings;
}
