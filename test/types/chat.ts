// app/io/controller/chat.ts and app/io/middleware/auth.ts of an application, and how it declares them.
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
    const now: number = stats.connections[3].now;
    // @ts-expect-error clients speak 3 or 4
    stats.connections[now < 2 ? 2 : 3];
    // @ts-expect-error an event has a name
    ctx.socket.emit();
    return app.io.controller.chat.say();
  }

  server(): IoServer {
    return this.app.io;
  }

  /** No handler: a handler is called with the context. */
  shout(message: string): string {
    return message.toUpperCase();
  }
}

/** The object form. */
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

// @ts-expect-error a context is no string
export const wrongContext: Middleware = async (ctx: string) => ctx;

// @ts-expect-error `next` takes nothing
export const wrongNext: Middleware = (_ctx, next) => next('somewhere');

export type Checks = [Expect<Equal<Parameters<Middleware>[0], Context>>];
