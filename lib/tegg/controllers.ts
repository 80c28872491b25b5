// The decorated controllers of an application: collects the classes that tegg loads, and adds them to the routes and the chains of their
// namespaces.
import type { Application, Context } from 'egg';
import { isClass, lookUp } from '../compose';
import { ConfigError } from '../errors';
import { HANDLER_PATH } from '../router';
import type { Handler, Middleware } from '../types/context';
import {
  type ControllerMiddleware,
  type DecoratedMethod,
  hasOwnMethods,
  methodsOf,
  optionsOf,
  type Parameter,
} from './metadata';
import { type Class, tegg } from './package';

/** What tegg's plugin adds to the application. */
export interface TeggApplication {
  /** Hooks for the prototypes that tegg creates. All applications of the process share it. */
  readonly eggPrototypeLifecycleUtil: {
    registerLifecycle(hooks: PrototypeHooks): void;
    deleteLifecycle(hooks: PrototypeHooks): void;
  };
  getEggObject(clazz: Class): Promise<object>;
}

interface PrototypeHooks {
  postCreate(created: { readonly clazz: Class }): Promise<void>;
}

/** A method of a decorated controller. */
type Method = (this: object, ...args: unknown[]) => unknown;

/** The decorated controllers of one application. */
export class TeggControllers {
  readonly #classes = new Set<Class>();
  readonly #hooks: PrototypeHooks = {
    postCreate: async ({ clazz }) => {
      if (clazz !== undefined && (optionsOf(clazz) !== undefined || hasOwnMethods(clazz))) this.#classes.add(clazz);
    },
  };
  readonly #wrapped = new Map<unknown, Middleware>();

  /** Must be created before tegg loads the classes, in didLoad. */
  constructor(private readonly app: Application & TeggApplication) {
    app.eggPrototypeLifecycleUtil.registerLifecycle(this.#hooks);
  }

  /**
   * Adds what the decorators have collected to the namespaces. Must be called when tegg has loaded the classes, before the namespaces are
   * bound.
   *
   * @throws {ConfigError} if a decorator is missing, or a middleware is none
   */
  add(): void {
    this.app.eggPrototypeLifecycleUtil.deleteLifecycle(this.#hooks);
    for (const clazz of this.#classes) this.#addController(clazz);
  }

  #addController(clazz: Class): void {
    const { io } = this.app;
    const options = optionsOf(clazz);
    if (options === undefined) throw missing(clazz.name, '@IoController()');
    const { namespace = '/', connection = [], packet = [] } = options;
    const name = namespace.startsWith('/') ? namespace : `/${namespace}`;
    const nsp = io.of(name);
    const where = `@IoController of ${clazz.name}`;
    io.addChains(name, {
      connection: connection.map((each) => this.#middleware(each, `connection of ${where}`)),
      packet: packet.map((each) => this.#middleware(each, `packet of ${where}`)),
    });
    const around = decoratedMiddleware(clazz);
    for (const [method, decorated] of methodsOf(clazz)) {
      const middlewares = [...around, ...decoratedMiddleware(clazz, method)];
      const handler = this.#handler(clazz, method, decorated);
      for (const event of decorated.events) nsp.route(event, ...middlewares, handler);
    }
  }

  #handler(clazz: Class, method: string, decorated: DecoratedMethod): Handler {
    const { app } = this;
    const path = `${clazz.name}.${method}`;
    const parameters = parametersOf(clazz.prototype[method], path, decorated);
    const handler = async (ctx: Context) => {
      // Within the module scope: tegg creates the injected objects of this context.
      const controller = (await app.getEggObject(clazz)) as Record<string, Method>;
      return controller[method]?.(...parameters.map((each) => argumentOf(ctx, each)));
    };
    Object.defineProperty(handler, 'name', { value: path });
    return Object.assign(handler, { [HANDLER_PATH]: path });
  }

  /** Returns the same function for the same middleware. */
  #middleware(given: ControllerMiddleware, where: string): Middleware {
    const { app } = this;
    if (typeof given === 'string')
      return lookUp(where, [given], app.io.middleware as Record<string, unknown>)[0] as Middleware;
    if (!isClass(given)) {
      if (typeof given === 'function') return given as Middleware;
      throw new ConfigError(where, given, 'functions (ctx, next), names of app/io/middleware, tegg prototypes');
    }
    const clazz = given as Class & { prototype: { handle?: unknown } };
    const hasHandle = typeof clazz.prototype.handle === 'function';
    if (!hasHandle || !tegg().PrototypeUtil.isEggPrototype(clazz)) {
      const problem = hasHandle ? 'is no tegg prototype, as of @SingletonProto()' : 'has no method handle';
      throw new ConfigError(
        where,
        given,
        'tegg prototypes with a method handle(ctx, next)',
        `${clazz.name} ${problem}`,
      );
    }
    if (!this.#wrapped.has(clazz)) {
      const run: Middleware = async (ctx, next) => {
        const middleware = (await app.getEggObject(clazz)) as { handle: Middleware };
        return middleware.handle(ctx, next);
      };
      this.#wrapped.set(clazz, Object.defineProperty(run, 'name', { value: clazz.name }));
    }
    return this.#wrapped.get(clazz) as Middleware;
  }
}

/** Returns the functions of tegg's `@Middleware()` of a class, or of one of its methods. */
function decoratedMiddleware(clazz: Class, method?: string): Middleware[] {
  const { ControllerInfoUtil, MethodInfoUtil } = tegg();
  const advices =
    method === undefined
      ? ControllerInfoUtil.getControllerAopMiddlewares?.(clazz)
      : MethodInfoUtil.getMethodAopMiddlewares?.(clazz, method);
  if (advices?.length) {
    const where = `@Middleware() of ${clazz.name}${method === undefined ? '' : `.${method}`}`;
    throw new ConfigError(
      where,
      advices,
      'functions (ctx, next)',
      `${where} is an advice of AOP: use @Pointcut() for it`,
    );
  }
  return method === undefined
    ? ControllerInfoUtil.getControllerMiddlewares(clazz)
    : MethodInfoUtil.getMethodMiddlewares(clazz, method);
}

/** @throws {ConfigError} if the method or a parameter has no decorator */
function parametersOf(method: Method, path: string, { events, parameters }: DecoratedMethod): Parameter[] {
  if (events.length === 0) throw missing(path, '@IoEvent(), @IoConnect(), @IoDisconnect()');
  const count = Math.max(method.length, ...Array.from(parameters.keys(), (position) => position + 1));
  return Array.from({ length: count }, (_, position) => {
    const found = parameters.get(position);
    if (found !== undefined) return found;
    throw missing(`parameter ${position + 1} of ${path}`, '@Args(), @Ack(), @Socket(), @Context()');
  });
}

function missing(where: string, decorators: string): ConfigError {
  return new ConfigError(where, undefined, decorators, `${where} needs a decorator`);
}

function argumentOf(ctx: Context, parameter: Parameter): unknown {
  switch (parameter.type) {
    case 'args':
      return parameter.index === undefined ? ctx.args : ctx.args[parameter.index];
    case 'ack': {
      const last: unknown = ctx.args.at(-1);
      return typeof last === 'function' ? last : ignore;
    }
    case 'socket':
      return ctx.socket;
    case 'context':
      return ctx;
  }
}

function ignore(): void {}
