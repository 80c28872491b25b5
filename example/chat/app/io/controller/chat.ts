// What answers the events of /chat. app/io/middleware has let in the client and checked what it sent.
import { Controller } from 'egg';
import { roomKey } from '../../names';

export default class ChatController extends Controller {
  /** Enters a room, and leaves the one before. */
  async join() {
    const { ctx, service } = this;
    const [room, answer] = ctx.args;
    const before: string | undefined = ctx.data.room;
    ctx.data.room = room;
    await Promise.all([before && ctx.leave(roomKey(before)), ctx.join(roomKey(room))]);
    // The client's ack: socket.emit('join', room, (joined) => …)
    answer?.(room);
    await service.people.announce(room, ...(before && before !== room ? [before] : []));
  }

  async say() {
    const { ctx, app } = this;
    const [text] = ctx.args;
    const room = this.#room;
    app.io.of('/chat').to(roomKey(room)).emit('message', { room, from: ctx.data.nickname, text, at: Date.now() });
  }

  async typing() {
    const { ctx } = this;
    const room = this.#room;
    // To the others in the room. Volatile: not worth keeping for those who can't receive it right now.
    ctx.volatile.to(roomKey(room)).emit('typing', room, ctx.data.nickname);
  }

  /** Shows what becomes of an error: the client hears `data` as the event `error`, the stack goes to the log. */
  async fail() {
    throw Object.assign(new Error('chat.fail was called'), {
      data: { message: 'This always fails: you typed /fail.' },
    });
  }

  /** The socket has disconnected, and is in no room any more; its data still tells in which one it was. */
  async leave() {
    const { room } = this.ctx.data;
    if (room) await this.service.people.announce(room);
  }

  get #room(): string {
    const { room } = this.ctx.data;
    if (!room) throw Object.assign(new Error('not in a room'), { data: { message: 'Enter a room first.' } });
    return room;
  }
}
