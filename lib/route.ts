// A routed event: its handler, and the middlewares of its own. Made by router.ts, run by packet.ts and system.ts.
import type { Context } from 'egg';
import type { Ack } from './ack';
import { composeChain, type Middleware, type Onion } from './chain';
import { setArgs } from './context';
import { directly } from './direct';
import { controllerError, isPromise } from './errors';

/**
 * What answers an event: a method of `app.io.controller`, or any function. Called with the packet's context as `this` and as
 * its argument. With `config.io.ack: 'auto'` what it returns, or what its promise is fulfilled with, is the ack.
 */
// biome-ignore lint/suspicious/noExplicitAny: a controller's method may declare any `this`
export type Handler = (this: any, ctx: Context) => unknown;

/** A routed event. */
export class Route {
  /** How often the handler is running right now. */
  running = 0;
  readonly #handle: Handler;
  readonly #around: Onion | undefined;

  /**
   * @param handler - what answers the event
   * @param middlewares - what runs around it
   */
  constructor(
    readonly handler: Handler,
    middlewares: Middleware[] = [],
  ) {
    this.#handle = directly(handler);
    if (middlewares.length > 0) this.#around = composeChain(middlewares);
  }

  /**
   * Runs the middlewares and the handler.
   *
   * @param packet - of a client's event: what the handler's arguments are taken from
   * @param ack - gets what the handler returns
   * @returns a promise, or undefined where all is done
   */
  run(ctx: Context, packet?: unknown[], ack?: Ack): Promise<void> | undefined {
    if (this.#around === undefined) return this.#call(ctx, packet, ack);
    return this.#around(ctx, () => this.#call(ctx, packet, ack));
  }

  #call(ctx: Context, packet: unknown[] | undefined, ack: Ack | undefined): Promise<void> | undefined {
    ack?.routed();
    if (packet !== undefined) setArgs(ctx, packet.slice(1));
    let result: unknown;
    try {
      result = this.#handle.call(ctx, ctx);
    } catch (thrown) {
      throw controllerError(thrown);
    }
    if (!isPromise(result)) {
      ack?.returned(result);
      return undefined;
    }
    this.running++;
    if (ack === undefined) return Promise.resolve(result).then(this.#done, this.#failed);
    return Promise.resolve(result).then(
      (value) => {
        this.running--;
        ack.returned(value);
      },
      (thrown) => {
        this.running--;
        const err = controllerError(thrown);
        if (!ack.failed(err)) throw err;
      },
    );
  }

  readonly #done = (): void => {
    this.running--;
  };

  readonly #failed = (thrown: unknown): never => {
    this.running--;
    throw controllerError(thrown);
  };
}
