// Who is in the chat: the presence of /chat, on all workers. Clients follow it by themselves: see app/public/presence.js
import { type Context, Service } from 'egg';

export default class PeopleService extends Service {
  /** Tracks the client of a context until it disconnects. Its key is its user: see config.io.user. */
  async enter(ctx: Context): Promise<void> {
    await this.#here.track(ctx, null, { worker: ctx.data.worker });
  }

  /** Shows to all clients that the client of a context is in a room. */
  moveTo(ctx: Context, room: string): void {
    this.#here.update(ctx, { room, worker: ctx.data.worker });
  }

  async isTaken(nickname: string): Promise<boolean> {
    return Object.hasOwn(await this.#here.list(), nickname);
  }

  get #here() {
    return this.app.io.of('/chat').presence();
  }
}

declare module 'egg' {
  interface IService {
    people: PeopleService;
  }
}
