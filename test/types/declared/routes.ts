// The router of an application that declares its events.
import { type Application, Controller } from 'egg';
import type { EventContext, Middleware } from 'egg-socket.io';
import type { Socket as ClientSocket } from 'socket.io-client';
import type { Equal, Expect } from '../expect';
import type { ClientEvents, Message, ServerEvents } from './events';

export class ChatController extends Controller {
  async say(ctx: EventContext<'/chat', 'say'>): Promise<Message> {
    const [text] = ctx.args;
    ctx.emit('left', text.toUpperCase(), Date.now());
    return { text, by: ctx.data.user ?? 'somebody' };
  }

  async typing(ctx: EventContext<'/chat', 'typing'>): Promise<void> {
    const [isTyping] = ctx.args;
    ctx.broadcast.emit('left', isTyping ? 'typing' : 'idle', 0);
  }

  /** A controller method without types. */
  async old() {
    const [anything] = this.ctx.args;
    this.ctx.emit('anything', anything.whatever);
  }
}

declare module 'egg' {
  interface CustomController {
    chat: ChatController;
    nested: { deep: { run: (ctx: Context) => void } };
  }
}

export default (app: Application): void => {
  const { io } = app;
  const { chat, nested } = io.controller;
  const guard: Middleware = (_ctx, next) => next();
  const nsp = io.of('/chat');

  // Names of events, and all kinds of handlers.
  nsp.route('say', chat.say);
  nsp.route('typing', chat.typing);
  nsp.route('say', guard, chat.say);
  nsp.route('typing', 'chat.typing');
  nsp.route('typing', guard, 'nested.deep.run');
  nsp.route('typing', chat.old);
  nsp.route('typing', nested.deep.run);
  nsp.route({ say: chat.say, typing: 'chat.typing' });
  // @ts-expect-error clients of /chat do not emit it
  nsp.route('shout', chat.old);
  // @ts-expect-error clients of /chat do not emit it (an object of routes)
  nsp.route({ shout: chat.old });
  // @ts-expect-error the controller is for another event
  nsp.route('typing', chat.say);
  // @ts-expect-error the controller is for another event (after a middleware)
  nsp.route('typing', guard, chat.say);
  // @ts-expect-error the controller does not exist
  nsp.route('say', 'chta.say');
  // @ts-expect-error it is an event of /chat, not of /
  io.route('say', chat.old);
  io.route('hello', chat.old);

  // The arguments, the ack and the packet of a handler, and the events that it may emit.
  nsp.route('say', (ctx) => {
    const [text, ack] = ctx.args;
    ack({ text, by: 'me' });
    ack({ error: { message: text } });
    ctx.socket.emit('said', { text, by: ctx.id });
    ctx.to('room').except('other').emit('left', 'ada', 1);
    ctx.packet[1] = text.trim();
    const event: 'say' = ctx.packet[0];
    const user: string | undefined = ctx.socket.data.user;
    // Members of every context of Egg.
    ctx.logger.info(ctx.ip, event, user, ctx.session);
    // @ts-expect-error the text is a string
    text.toFixed();
    // @ts-expect-error the acknowledgement is a message
    ack(5);
    // @ts-expect-error the server does not emit it
    ctx.emit('say', text);
    // @ts-expect-error the server does not emit it
    ctx.socket.emit('shout');
    // @ts-expect-error its arguments differ
    ctx.to('room').emit('left', 1, 'ada');
    // @ts-expect-error the declared data has no such property
    ctx.data.nope;
  });
  nsp.route('disconnect', (ctx) => {
    const [reason] = ctx.args;
    ctx.emit('expired', { grace: reason === 'expired' ? 0 : 1 });
    // @ts-expect-error it is not one of Socket.IO's reasons
    reason === 'because';
  });
  nsp.route('*', (ctx) => ctx.args.at(-1));

  // The return value is the acknowledgement.
  nsp.route('count', () => 1);
  nsp.route('count', async () => 1);
  nsp.route('count', async (ctx) => ctx.args[0](1));
  nsp.route('typing', () => 'whatever: nobody waits for it');
  // @ts-expect-error the acknowledgement is a number
  nsp.route('count', () => 'one');
  // @ts-expect-error the acknowledgement is a promise of a number
  nsp.route('count', async () => 'one');

  // Events that the server emits outside of handlers.
  nsp.emit('said', { text: '', by: '' });
  nsp.to('room').emit('left', 'ada', 1);
  nsp.user(42).except('room').emit('left', 'ada', 1);
  // @ts-expect-error /chat does not emit it
  nsp.user(42).emit('welcome', 'ada');
  io.user('ada').emit('welcome', 'ada');
  // @ts-expect-error / does not emit it
  io.user('ada').emit('left', 'ada', 1);
  io.to('room').emit('welcome', 'ada');
  io.emit('welcome', 'ada');
  nsp.serverSideEmit('ping', 1);
  nsp.on('connection', (socket) => {
    socket.on('typing', (isTyping) => isTyping === true);
    // @ts-expect-error clients do not emit it
    socket.on('shout', () => {});
  });
  io.of('/chat', (socket) => socket.emit('left', 'ada', 1));
  // @ts-expect-error it is an event of /chat
  io.to('room').emit('said', { text: '', by: '' });
  // @ts-expect-error the name is a string
  io.emit('welcome', 1);
  // @ts-expect-error the event does not exist
  nsp.emit('shout');
  // @ts-expect-error its arguments differ
  nsp.to('room').emit('said', 'text');

  // Parameters.
  io.of('/room/:id').route('enter', (ctx) => {
    const { id } = ctx.params;
    ctx.emit('entered', id.toUpperCase());
    // @ts-expect-error the parameter does not exist
    ctx.params.name;
  });

  io.of('/room/5').emit('entered', 'ada');
  // The same namespace, without its leading slash.
  io.of('room/5').emit('entered', 'ada');
  // @ts-expect-error the argument is a string
  io.of('room/5').emit('entered', 1);
  // If the name is any string, events are not checked.
  io.of(String(io)).emit('anything');
  io.of(`/room/${Math.PI}`).user(42).emit('entered', 'ada');
  // @ts-expect-error the argument is a string
  io.of('/room/5').emit('entered', 1);
  // @ts-expect-error the argument is a string in each child namespace
  io.of(`/room/${Math.PI}`).to('x').emit('entered', 1);
  io.of('/room/5/seats').emit('anything');

  // Namespaces without declarations.
  io.of('/other').route('anything', (ctx) => ctx.args[0].whatever);
  io.of(/^\/dynamic/).route('anything', chat.old);

  // Namespaces with incomplete declarations.
  io.of('/data').route('anything', (ctx) => ctx.args[0].whatever + ctx.data.n);
  // @ts-expect-error the declared data has no such property
  io.of('/data').route('anything', (ctx) => ctx.data.nope);
  io.of('/server').route('anything', (ctx) => void ctx.emit('news', ctx.args[0].whatever));
  // @ts-expect-error the server does not emit it
  io.of('/server').route('anything', (ctx) => void ctx.emit('shout'));
  io.of('/server').route('anything', chat.old);
  io.of('/optional').route('ask', () => 1);
  // @ts-expect-error the acknowledgement is a number, even if it is optional
  io.of('/optional').route('ask', () => 'one');
  nsp.route({ typing: chat.old, disconnect: nested.deep.run });

  // All operators that emit.
  nsp.route('typing', (ctx) => {
    ctx.broadcast.emit('left', 'ada', 1);
    // @ts-expect-error
    ctx.broadcast.emit('shout');
    // @ts-expect-error
    ctx.in('room').emit('shout');
    // @ts-expect-error
    ctx.except('room').emit('shout');
    // @ts-expect-error
    ctx.local.emit('shout');
    // @ts-expect-error
    ctx.volatile.emit('shout');
    // @ts-expect-error
    ctx.timeout(1).emit('shout');
    // @ts-expect-error
    ctx.emitWithAck('shout');
  });
  // @ts-expect-error workers do not emit it to each other
  nsp.serverSideEmit('pong', 1);
  // @ts-expect-error its argument is a number
  nsp.serverSideEmit('ping', 'one');
  nsp.on('connection', (socket) => {
    // @ts-expect-error the declared data has no such property
    socket.data.nope;
    // @ts-expect-error the argument is a boolean
    socket.on('typing', (isTyping) => isTyping.length);
  });
};

export function client(socket: ClientSocket<ServerEvents, ClientEvents>): void {
  socket.on('said', ({ text }) => text.trim());
  socket.emit('typing', true);
  socket.emitWithAck('count').then((count) => count.toFixed());
  // @ts-expect-error the server does not emit it
  socket.on('typing', () => {});
  // @ts-expect-error clients do not emit it
  socket.emit('said', { text: '', by: '' });
}

type ParamsOf<N extends string> = EventContext<N>['params'];
type General = Readonly<Record<string, string | readonly string[]>>;
type Say = EventContext<'/chat', 'say'>;

export type Checks = [
  Expect<Equal<Say['args'], Parameters<ClientEvents['say']>>>,
  Expect<Equal<EventContext<'/chat', 'typing'>['args'], [isTyping: boolean]>>,
  Expect<Equal<EventContext<'/room/:id', 'enter'>['params'], Readonly<{ id: string }>>>,
  Expect<Equal<EventContext<'/data', 'x'>['data'], { n: number }>>,
  Expect<Equal<ParamsOf<'/a/:b/c/:d'>, Readonly<{ b: string; d: string }>>>,
  // Other patterns are not parsed by the types.
  Expect<Equal<ParamsOf<'/x/:from-:to'>, General>>,
  Expect<Equal<ParamsOf<'/f/:name.json'>, General>>,
  Expect<Equal<ParamsOf<'/lobby:a/:id'>, General>>,
  Expect<Equal<ParamsOf<'/a{/:b}/:c'>, General>>,
  Expect<Equal<ParamsOf<'/lobby:a'>, undefined>>,
];
