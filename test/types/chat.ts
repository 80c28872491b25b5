// A controller and middleware of an application, and their declarations.
import { type Application, type Context, Controller } from 'egg';
import type { IoServer, IoStats, Middleware } from 'egg-socket.io';
import type { Equal, Expect } from './expect';

export class ChatController extends Controller {
  async say(): Promise<string> {
    const { ctx, app } = this;
    const [message] = ctx.args;
    ctx.socket.emit('said', message);
    app.io.of('/chat').to('everybody').emit('said', message);
    // @ts-expect-error Socket.IO's server has no such member
    app.io.nope;
    const stats: IoStats = app.io.stats();
    const now: number = stats.protocols[3].now;
    // @ts-expect-error the protocol is 3 or 4
    stats.protocols[now < 2 ? 2 : 3];
    // @ts-expect-error the event's name is missing
    ctx.socket.emit();
    return app.io.controller.chat.say();
  }

  server(): IoServer {
    return this.app.io;
  }

  /** Not a handler, which would have the context as its parameter. */
  shout(message: string): string {
    return message.toUpperCase();
  }
}

/** A controller that is an object. */
export const room = {
  async enter(this: Context): Promise<void> {
    await this.join('room');
  },
};

export const auth = (app: Application) => async (ctx: Context, next: () => Promise<any>) => {
  app.coreLogger.info(ctx.id);
  await next();
};

declare module 'egg' {
  interface CustomController {
    chat: ChatController;
    room: typeof room;
  }

  interface CustomMiddleware {
    auth: typeof auth;
  }
}

export const middleware: (app: Application) => Middleware = auth;

export const plain: Middleware = (ctx, next) => {
  ctx.socket.join('everybody');
  return next();
};

// @ts-expect-error the context is not a string
export const wrongContext: Middleware = async (ctx: string) => ctx;

// @ts-expect-error `next` has no parameters
export const wrongNext: Middleware = (_ctx, next) => next('somewhere');

export type Checks = [Expect<Equal<Parameters<Middleware>[0], Context>>];
