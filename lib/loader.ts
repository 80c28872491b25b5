// Loads app/io/middleware and app/io/controller of every load unit with Egg's own loader. Called by app.ts.
import path from 'node:path';
import { types } from 'node:util';
import type { Application, Context } from 'egg';
import { type Initializer, remembering } from './direct';
import type { IoServer } from './server';
import type { Middleware } from './types/context';

/** What of Egg's application is needed here, as both majors have it: synchronous on Egg 3, asynchronous on Egg 4. */
interface LoadingApp {
  readonly io: { middleware: Record<string, unknown>; controller: IoServer['controller'] };
  readonly loader: Loader;
  readonly config: { controller?: { supportParams?: boolean } };
  controller: IoServer['controller'];
  deprecate(message: string): void;
  /** Works on Egg 3 alone, which still takes generator functions. */
  toAsyncFunction<F>(fn: F): F;
}

interface FileLoader {
  new (options: object): { load(): unknown };
  /** The symbol under which Egg keeps the path of what it has loaded. */
  readonly FULLPATH: symbol;
}

interface Loader {
  readonly FileLoader: FileLoader;
  getLoadUnits(): { path: string }[];
  loadController(options: { directory: string[] }): unknown;
  loadToApp(directory: unknown, property: string, options: { initializer: Initializer }): unknown;
  loadRouter(...args: unknown[]): unknown;
}

/**
 * Fills `app.io.middleware` and `app.io.controller`, before `app/router.ts` runs.
 *
 * @returns on Egg 4, which loads asynchronously, the promise of having loaded
 */
export function loadIo(application: Application): Promise<void> | undefined {
  const app = application as unknown as LoadingApp;
  const steps = [loadMiddleware(app), loadController(app)];
  deprecate(app, 'middlewares', 'middleware');
  deprecate(app, 'controllers', 'controller');
  if (!steps.some(types.isPromise)) {
    convertGenerators(app);
    return undefined;
  }
  const loading = Promise.all(steps).then(() => refuseGenerators(app));
  // No boot hook before the router is awaited, so the router itself waits.
  const { loader } = app;
  const { loadRouter } = loader;
  loader.loadRouter = async (...args) => {
    await loading;
    return loadRouter.apply(loader, args);
  };
  // Whoever awaits it hears of a failure: the router, and app.ts.
  loading.catch(() => {});
  return loading;
}

function directories({ loader }: LoadingApp, kind: string): string[] {
  return loader.getLoadUnits().map((unit) => path.join(unit.path, 'app', 'io', kind));
}

function loadMiddleware(app: LoadingApp): unknown {
  const { FileLoader } = app.loader;
  const options = { directory: directories(app, 'middleware'), target: app.io.middleware, inject: app };
  return new FileLoader(options).load();
}

/**
 * Egg's controller loader makes of classes and objects what a route needs. It fills a new `app.controller`: that object is
 * ours, and the application's own controllers, which are loaded later, get theirs.
 */
function loadController(app: LoadingApp): unknown {
  const before = app.controller;
  const { loader } = app;
  const loadToApp: Loader['loadToApp'] = (directory, property, options) =>
    loader.loadToApp(directory, property, { ...options, initializer: remembering(options.initializer) });
  // With Egg's own parameters a method gets what its caller hands it.
  const view = app.config.controller?.supportParams
    ? loader
    : Object.create(loader, { loadToApp: { value: loadToApp } });
  const loading = loader.loadController.call(view, { directory: directories(app, 'controller') });
  app.io.controller = app.controller;
  app.controller = before;
  return loading;
}

function generators(app: LoadingApp): [name: string, middleware: Middleware][] {
  const middlewares = Object.entries(app.io.middleware) as [string, Middleware][];
  return middlewares.filter(([, middleware]) => types.isGeneratorFunction(middleware));
}

/** Egg 3 takes generator functions, and so do the chains there. */
function convertGenerators(app: LoadingApp): void {
  for (const [name, middleware] of generators(app)) {
    const run = app.toAsyncFunction(middleware);
    app.io.middleware[name] = (ctx: Context, next: () => Promise<void>) =>
      run.call(ctx, yieldable(next) as never, next);
  }
}

/** Egg 4 refuses a generator function where it finds one: a middleware of ours in the words of one of Egg's. */
function refuseGenerators(app: LoadingApp): void {
  for (const [name, middleware] of generators(app)) {
    const path = (middleware as unknown as Record<symbol, unknown>)[app.loader.FileLoader.FULLPATH];
    throw new TypeError(`Support for generators was removed, middleware: ${name}, fullpath: ${path}`);
  }
}

/** What a generator middleware gets as `next`: `yield next` runs the rest of the chain. */
function* yieldable(next: () => Promise<void>): Generator<Promise<void>, unknown> {
  return yield next();
}

function deprecate(app: LoadingApp, old: string, name: 'middleware' | 'controller'): void {
  Object.defineProperty(app.io, old, {
    configurable: true,
    get() {
      app.deprecate(`app.io.${old} has been deprecated, please use app.io.${name} instead!`);
      return app.io[name];
    },
  });
}
