// Starts fixture applications as real processes: a master, an agent, workers.
import { EGG_MAJOR, FRAMEWORK, fixture, mm } from './app';
import { freePort, isFree } from './port';
import { within } from './wait';

/** An application of several processes that listens. */
export interface Cluster {
  url: string;
  close(): Promise<void>;
}

/**
 * Starts a fixture application of test/fixtures/apps with workers.
 *
 * @param options - of egg-cluster
 * @param env - what the processes have in their environment beside what this one has
 */
export async function startCluster(
  name: string,
  options: Record<string, unknown> = {},
  env: Record<string, string> = {},
): Promise<Cluster> {
  const port = await freePort();
  // What the agent and, for sticky sessions, the workers listen on.
  const ports: [number, number] = [await freePort(), await freePort()];
  const app = mm.cluster({
    baseDir: fixture(name),
    framework: FRAMEWORK,
    port,
    cache: false,
    coverage: false,
    // Another file may have the same fixture running.
    clean: false,
    require: [require.resolve('./register.cjs')],
    opt: {
      execArgv: ['--require', require.resolve('./master.cjs')],
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
  // Nothing is mocked in there; to restore it, mm.restore() would start a process after each test.
  app.mockRestore = () => {};
  await within(`the cluster ${name}`, app.ready(), 60_000);
  // Ready is also what has ended.
  if (app.process.exitCode !== null) throw new Error(`the cluster ${name} has not started:\n${app.stderr}`);
  if (await isFree(ports[0]))
    throw new Error(`the agent of ${name} does not listen on the port it was given: see master.cjs`);
  return { url: `http://127.0.0.1:${port}`, close: () => within(`the end of the cluster ${name}`, app.close()) };
}
