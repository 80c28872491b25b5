// Starts fixture applications as real processes: a master, an agent, workers.
import { EGG_MAJOR, FRAMEWORK, fixture, mm } from './app';
import { freePort, isFree } from './port';
import { within } from './wait';

/** An application of several processes. */
export interface Cluster {
  url: string;
  close(): Promise<void>;
}

/** Options of egg-cluster. */
interface ClusterOptions extends Record<string, unknown> {
  /** How many files each process may open. Default: the limit of this process. */
  openFiles?: number;
}

/**
 * Starts a fixture application of test/fixtures/apps with workers.
 *
 * @param env - environment variables, in addition to those of this process
 */
export async function startCluster(
  name: string,
  { openFiles, ...options }: ClusterOptions = {},
  env: Record<string, string> = {},
): Promise<Cluster> {
  const port = await freePort();
  // The ports of the agent and, for sticky sessions, of the workers.
  const ports: [number, number] = [await freePort(), await freePort()];
  const app = mm.cluster({
    baseDir: fixture(name),
    framework: FRAMEWORK,
    port,
    cache: false,
    coverage: false,
    // Another test file may run the same fixture at this moment.
    clean: false,
    require: [require.resolve('./register.cjs')],
    opt: {
      ...(openFiles && { execPath: 'sh' }),
      execArgv: [...limited(openFiles), '--require', require.resolve('./master.cjs')],
      env: {
        ...process.env,
        EGG_MAJOR: String(EGG_MAJOR),
        EGG_SERVER_ENV: 'prod',
        EGG_HOME: fixture(name),
        TEST_PORTS: ports.join(),
        ...env,
      },
    },
    ...options,
  });
  // Nothing is mocked in the cluster. Otherwise mm.restore() starts a process after each test.
  app.mockRestore = () => {};
  await within(`the cluster ${name} to start`, app.ready(), 60_000);
  // ready() also resolves if the master has exited.
  if (app.process.exitCode !== null) throw new Error(`the cluster ${name} has not started:\n${app.stderr}`);
  if (await isFree(ports[0])) throw new Error(`the agent of ${name} does not listen on its port: see master.cjs`);
  return { url: `http://127.0.0.1:${port}`, close: () => within(`the cluster ${name} to exit`, app.close()) };
}

/** Returns the arguments of a shell that limits the open files, and then becomes a process of Node. */
function limited(openFiles: number | undefined): string[] {
  return openFiles === undefined ? [] : ['-c', `ulimit -n ${openFiles}; exec "${process.execPath}" "$@"`, 'sh'];
}
