// Loads app/io/middleware and app/io/controller of every load unit (plugins, framework, application) with Egg's file loader.
import path from 'node:path';
import { types } from 'node:util';
import type { Application, Context } from 'egg';
import { isClass } from './compose';
import { ConfigError } from './errors';
import { beforeRouter, type EggLoader, loaderOf, loadsAsynchronously } from './internals/egg';
import { placeholders } from './placeholder';
import { HANDLER_PATH } from './router';
import type { Handler } from './types/context';

/**
 * Fills `app.io.middleware` and `app.io.controller` before `app/router` runs: after the boot hooks and the app.js of all plugins and of
 * the application. If one of them reads a controller before, Egg 3 loads them all at once. Egg 4 loads asynchronously: the reader gets a
 * placeholder, which can be named in a route.
 *
 * @returns a function that loads the files if they are not loaded yet: a framework may have no app/router. It returns a promise on Egg 4
 */
export function loadIo(app: Application): () => unknown {
  const { io } = app;
  const files = new IoFiles(app);
  const isAsync = loadsAsynchronously(app);
  let isLoaded = false;
  let hasBegun = false;
  let loading: unknown;
  const load = (): unknown => {
    if (hasBegun) return loading;
    // The files may read app.io.controller while they are loaded.
    hasBegun = true;
    loading = files.load(() => {
      isLoaded = true;
      io.filesLoaded();
    });
    return loading;
  };
  for (const name of ['middleware', 'controller'] as const) {
    const target = files[name];
    const early = isAsync
      ? placeholders({ name: `app.io.${name}`, loaded: () => (isLoaded ? target : undefined) })
      : undefined;
    Object.defineProperty(io, name, {
      configurable: true,
      enumerable: true,
      get() {
        if (!isAsync) load();
        return early === undefined || isLoaded ? target : early;
      },
    });
    deprecate(app, `${name}s`, name);
  }
  beforeRouter(app, load);
  return load;
}

/** The members of Egg's base class of controllers. A method of the same name hides the member, or is hidden by it. */
const BASE_MEMBERS: ReadonlySet<string> = new Set(['app', 'config', 'ctx', 'logger', 'service']);

/** What Egg's file loader passes with the exports of a file. */
interface ControllerFile {
  path: string;
  pathName: string;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** The files of app/io of one application. */
class IoFiles {
  /** What the files export, by their names. */
  readonly middleware: object;
  readonly controller: object;
  readonly #loader: EggLoader;

  constructor(private readonly app: Application) {
    this.middleware = app.io.middleware;
    this.controller = app.io.controller;
    this.#loader = loaderOf(app);
  }

  /**
   * Loads all files.
   *
   * @param done - called when they are loaded
   * @returns a promise on Egg 4
   */
  load(done: () => void): unknown {
    const steps = [this.#loadMiddleware(), this.#loadControllers()];
    const finish = () => {
      this.#convertGenerators();
      done();
    };
    if (steps.some(types.isPromise)) return Promise.all(steps).then(finish);
    finish();
    return true;
  }

  #loadMiddleware(): unknown {
    const { app, middleware: target } = this;
    const options = { directory: this.#directories('middleware'), target, inject: app };
    return new this.#loader.FileLoader(options).load();
  }

  #loadControllers(): unknown {
    const options = {
      directory: this.#directories('controller'),
      target: this.controller,
      caseStyle: 'lower',
      // The initializer calls factories itself.
      call: false,
      initializer: (exported: unknown, file: ControllerFile) => this.#controllerOf(exported, file),
    };
    return new this.#loader.FileLoader(options).load();
  }

  /** Egg 3 accepts generator functions as middleware. Egg 4 refuses them: so does this, in the words of Egg 4. */
  #convertGenerators(): void {
    const { app } = this;
    const middlewares = this.middleware as Record<string, Method>;
    for (const [name, middleware] of Object.entries(middlewares)) {
      if (!types.isGeneratorFunction(middleware)) continue;
      if (loadsAsynchronously(app)) {
        const file = Reflect.get(middleware, this.#loader.FileLoader.FULLPATH);
        throw new TypeError(`Support for generators was removed, middleware: ${name}, fullpath: ${file}`);
      }
      const run = this.#toAsync(middleware);
      middlewares[name] = (ctx, next) => run.call(ctx, yieldable(next as () => Promise<void>), next);
    }
  }

  #directories(kind: string): string[] {
    return this.#loader.getLoadUnits().map((unit) => path.join(unit.path, 'app', 'io', kind));
  }

  /** Turns what a controller's file exports into an object of handlers, as Egg does for app/controller. */
  #controllerOf(exported: unknown, { path: file, pathName }: ControllerFile): unknown {
    const isFactory =
      typeof exported === 'function' &&
      !isClass(exported) &&
      !types.isAsyncFunction(exported) &&
      !types.isGeneratorFunction(exported);
    const controller: unknown = isFactory ? exported(this.app) : exported;
    if (isClass(controller)) {
      // Egg's logger prints pathName.
      Object.assign(controller.prototype, { fullPath: file, pathName });
      return this.#handlersOfClass(controller, file);
    }
    if (typeof controller === 'function') return this.#handler(controller as Method, '', file);
    if (typeof controller === 'object' && controller !== null) return this.#handlersOfObject(controller, '', file);
    return controller;
  }

  /** A handler of a class creates an instance for each event. */
  #handlersOfClass(Controller: new (ctx: never) => object, file: string): Record<string, Handler> {
    const handlers: Record<string, Handler> = {};
    const { prototype } = Controller;
    for (let at: object = prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
      for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
        if (key === 'constructor' || typeof value !== 'function' || Object.hasOwn(handlers, key)) continue;
        const name = `${Controller.name}.${key}`;
        if (BASE_MEMBERS.has(key) && prototype instanceof this.app.Controller) {
          const problem = `${name}() of ${file} has the name of a member of the base class Controller: one would hide the other. Rename the method`;
          throw new ConfigError('method of a controller', key, 'any other name', problem);
        }
        if (types.isGeneratorFunction(value)) this.#refuseGenerator(name, file);
        const run = types.isGeneratorFunction(value) ? this.#toAsync(value as Method) : undefined;
        const { supportsParams } = this;
        const handler = function (this: Context, ...args: unknown[]) {
          const instance = new Controller(this as never) as Record<string, Method>;
          const method = run ?? (instance[key] as Method);
          return supportsParams ? method.apply(instance, args) : method.call(instance, this);
        };
        handlers[key] = Object.assign(handler, { [HANDLER_PATH]: `${file}#${name}()` });
      }
    }
    return handlers;
  }

  #handlersOfObject(controller: object, prefix: string, file: string): Record<string, unknown> {
    const handlers: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(controller)) {
      if (typeof value === 'function') handlers[key] = this.#handler(value, prefix + key, file);
      else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        handlers[key] = this.#handlersOfObject(value, `${prefix}${key}.`, file);
      }
    }
    return handlers;
  }

  /** A handler of a function passes the context as `this` and as the first argument, also if it is called with `this` alone. */
  #handler(fn: Method, name: string, file: string): Handler {
    if (types.isGeneratorFunction(fn)) this.#refuseGenerator(name, file);
    const run = this.#toAsync(fn);
    const { supportsParams } = this;
    const handler = function (this: Context, ...args: unknown[]) {
      return supportsParams ? run.apply(this, args) : run.call(this, this);
    };
    return Object.assign(handler, fn, { [HANDLER_PATH]: `${file}#${name}()` });
  }

  /** `config.controller.supportParams` of Egg: a handler gets the arguments of its caller in place of the context. */
  private get supportsParams(): boolean {
    const { controller } = this.app.config as { controller?: { supportParams?: boolean } };
    return controller?.supportParams === true;
  }

  #refuseGenerator(name: string, file: string): void {
    if (!loadsAsynchronously(this.app)) return;
    throw new TypeError(`Support for generators was removed, controller \`${name}\`, fullpath: ${file}`);
  }

  /** Converts a generator function; other functions stay as they are. */
  #toAsync(fn: Method): Method {
    return types.isGeneratorFunction(fn) ? this.app.toAsyncFunction(fn as never) : fn;
  }
}

/** The `next` of a generator middleware: `yield next` runs the rest of the chain. */
function* yieldable(next: () => Promise<void>): Generator<Promise<void>, unknown> {
  return yield next();
}

function deprecate(app: Application, old: string, name: 'middleware' | 'controller'): void {
  Object.defineProperty(app.io, old, {
    configurable: true,
    get() {
      app.deprecate(`app.io.${old} has been deprecated, please use app.io.${name} instead!`);
      return app.io[name];
    },
  });
}
