// Starts fixture applications as real processes: a master, an agent, workers.
import { createServer } from 'node:net';
import { EGG_MAJOR, FRAMEWORK, fixture, mm } from './app';
import { within } from './wait';

/** An application of several processes that listens. */
export interface Cluster {
  url: string;
  close(): Promise<void>;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
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
