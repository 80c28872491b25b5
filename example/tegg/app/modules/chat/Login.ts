import { type Context, Inject, SingletonProto } from 'egg';
import type { IoMiddlewareClass } from 'egg-socket.io/tegg';
import type { Visit } from './Visit.ts';

/** Admits clients that have a name. */
@SingletonProto()
export class Login implements IoMiddlewareClass {
  @Inject()
  private readonly visit!: Visit;

  async handle(ctx: Context, next: () => Promise<unknown>): Promise<void> {
    const { name } = ctx.handshake.auth;
    if (typeof name !== 'string' || name === '') ctx.throw(401, 'who are you?');
    ctx.data.name = name;
    this.visit.note(`${name} has come`);
    await next();
    this.visit.note(`${name} has left`);
  }
}
