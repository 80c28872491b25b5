// The controller of the events of /chat. app/io/middleware has admitted the client and validated the event.
import { randomUUID } from 'node:crypto';
import { Controller } from 'egg';
import { roomKey } from '../../names';

export default class ChatController extends Controller {
  /** Joins a room, and leaves the previous one. Acknowledges with the last messages of the room. */
  async join() {
    const { ctx, app, service } = this;
    const [room, answer] = ctx.args;
    const before: string | undefined = ctx.data.room;
    ctx.data.room = room;
    await Promise.all([before && ctx.leave(roomKey(before)), ctx.join(roomKey(room)), app.history.load()]);
    service.people.moveTo(ctx, room);
    // The acknowledgement function of socket.emit('join', room, (messages) => …)
    answer?.(app.history.of(room));
  }

  async say() {
    const { ctx, app } = this;
    const [text] = ctx.args;
    const room = this.#room;
    const message = { id: randomUUID(), room, from: ctx.data.nickname, text, at: Date.now() };
    // The history is first: a client that joins at this moment has the message in its acknowledgement if it misses the event.
    app.history.add(message);
    app.io.of('/chat').to(roomKey(room)).emit('message', message);
  }

  async typing() {
    const { ctx } = this;
    const room = this.#room;
    // To the others in the room. Volatile: it is dropped if a client can't receive it immediately.
    ctx.volatile.to(roomKey(room)).emit('typing', room, ctx.data.nickname);
  }

  /** Shows how errors are handled: the client receives `data` as the event `error`, and the stack is logged. */
  async fail() {
    throw Object.assign(new Error('chat.fail was called'), {
      data: { message: 'This always fails: you typed /fail.' },
    });
  }

  get #room(): string {
    const { room } = this.ctx.data;
    if (!room) throw Object.assign(new Error('not in a room'), { data: { message: 'Enter a room first.' } });
    return room;
  }
}
