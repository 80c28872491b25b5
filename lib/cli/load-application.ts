// Loads an application without starting it: its configuration, its plugins, app/ and app/router. Commands run this file in a process of its own, since an application cannot be unloaded.
import fs from 'node:fs';

/** What Egg, and a framework that extends it, exports. */
interface Framework {
  Application: new (options: object) => LoadedApplication;
}

interface LoadedApplication {
  config: { env: string };
  /** Without a method in an earlier version of the plugin. */
  io?: { [method in Readable]?: () => unknown };
  /** On Egg 4 `load` is asynchronous. On Egg 3 the constructor of the application has called it. */
  loader: { load(): unknown };
  lifecycle: { triggerDidLoad?(): void };
  on(event: 'error', listener: (err: unknown) => void): void;
}

/** The methods of `app.io` whose result a command prints. */
export type Readable = 'routes' | 'describe';

/** What the process writes to the file descriptor `OUTPUT`. */
export type Loaded<T = unknown> = { result: T } | { error: string };

/** The file descriptor for the result. The application may write to the others. */
export const OUTPUT = 3;

/**
 * Loads the application, writes what a method of its `app.io` returns, and ends the process. No hook after configDidLoad runs, so that the application does not
 * connect to databases or to Redis, and no server listens.
 */
export function print({ Application }: Framework, baseDir: string, what: Readable): void {
  try {
    // Egg's single mode: without a master, and without an agent that it would wait for.
    const app = new Application({ baseDir, mode: 'single' });
    const loading = loadFiles(app);
    // Not awaited if there is no promise: the hooks of Egg 3 would run.
    if (loading === undefined) end(resultOf(app, what));
    loading?.then(() => end(resultOf(app, what))).catch(fail);
  } catch (err) {
    fail(err);
  }
}

function end(loaded: Loaded): never {
  fs.writeFileSync(OUTPUT, JSON.stringify(loaded));
  process.exit();
}

function fail(err: unknown): never {
  end({ error: err instanceof Error ? (err.stack ?? err.message) : String(err) });
}

function resultOf({ config: { env }, io }: LoadedApplication, what: Readable): Loaded {
  const result = io?.[what]?.();
  if (result !== undefined) return { result };
  const reason = io ? `has a version of it without app.io.${what}()` : `does not enable it in the environment ${env}`;
  return { error: `the plugin io is missing: config/plugin of the application ${reason}` };
}

/** Loads the files on Egg 4. On Egg 3 the constructor has loaded them, and the hooks would run in the next tick. */
function loadFiles(app: LoadedApplication): Promise<void> | undefined {
  const { loader, lifecycle } = app;
  const { load } = loader;
  if (load.constructor.name !== 'AsyncFunction') return undefined;
  lifecycle.triggerDidLoad = () => {};
  return new Promise((resolve, reject) => {
    // Egg emits what fails before `load`, such as a plugin that is not installed.
    app.on('error', reject);
    loader.load = async () => {
      await load.call(loader);
      resolve();
      // It never settles, so the boot does not continue.
      await new Promise(() => {});
    };
  });
}
