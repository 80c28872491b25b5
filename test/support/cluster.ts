// Starts fixture applications as real processes: a master, an agent, workers.
import { EGG_MAJOR, FRAMEWORK, fixture, mm } from './app';
import { freePort } from './port';
import { within } from './wait';

/** An application of several processes that listens. */
export interface Cluster {
  url: string;
  close(): Promise<void>;
}

/** Starts a fixture application of test/fixtures/apps with workers. */
export async function startCluster(name: string, options: Record<string, unknown> = {}): Promise<Cluster> {
  const port = await freePort();
  const app = mm.cluster({
    baseDir: fixture(name),
    framework: FRAMEWORK,
    port,
    cache: false,
    coverage: false,
    require: [require.resolve('./register.cjs')],
    opt: { env: { ...process.env, EGG_MAJOR: String(EGG_MAJOR), EGG_SERVER_ENV: 'prod', EGG_HOME: fixture(name) } },
    ...options,
  });
  await within(`the cluster ${name}`, app.ready(), 60_000);
  return { url: `http://127.0.0.1:${port}`, close: () => within(`the end of the cluster ${name}`, app.close()) };
}
