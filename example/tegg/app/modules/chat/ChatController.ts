import { type Context as EggContext, Inject, Middleware } from 'egg';
import type { SocketOf } from 'egg-socket.io';
import { Ack, Args, Context, IoConnect, IoController, IoDisconnect, IoEvent, Socket } from 'egg-socket.io/tegg';
import { Login } from './Login.ts';
import type { MessageStore } from './MessageStore.ts';
import type { Visit } from './Visit.ts';

async function notEmpty(ctx: EggContext, next: () => Promise<void>): Promise<void> {
  if (ctx.args[0] === '') ctx.throw(422, 'say something');
  await next();
}

@IoController({ namespace: '/chat', connection: [Login] })
export class ChatController {
  @Inject()
  private readonly messageStore!: MessageStore;

  @Inject()
  private readonly visit!: Visit;

  @IoConnect()
  welcome(@Socket() socket: SocketOf<'/chat'>): void {
    socket.broadcast.emit('said', 'server', `${socket.data.name} has come`);
  }

  @IoEvent('say')
  @Middleware(notEmpty)
  async say(@Args(0) text: string, @Socket() socket: SocketOf<'/chat'>): Promise<number> {
    const { name } = socket.data;
    this.visit.note(`${name} says something`);
    socket.nsp.emit('said', name, text);
    return this.messageStore.add(name, text);
  }

  @IoEvent('history')
  history(@Ack() ack: (answer: string[]) => void): void {
    ack(this.messageStore.all());
  }

  @IoDisconnect()
  goodbye(@Context() ctx: EggContext, @Args(0) reason: string): void {
    ctx.server.of('/chat').emit('said', 'server', `${ctx.data.name} has left: ${reason}`);
  }
}
