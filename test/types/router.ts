// The router of an application: app.io, its namespaces and their routes.
import type { Application, Context } from 'egg';
import type { IoServer } from 'egg-socket.io';
import type { Namespace, Server } from 'socket.io';
import type { ChatController } from './chat';
import type { Equal, Expect } from './expect';

export default (app: Application): void => {
  const { io } = app;
  const { controller } = io;

  io.route('say', controller.chat.say);
  io.route('disconnect', app.io.controller.chat.say);
  io.of('/chat').route('say', controller.chat.say);
  io.of('/chat').route('enter', controller.room.enter);
  io.of(/^\/room-\d+$/).route('say', controller.chat.say);
  io.route('inline', async (ctx) => ctx.args.length);
  io.route('this', async function (this: Context) {
    this.socket.emit('pong');
  });
  io.route('say', 'chat.say');
  io.route({ say: 'chat.say', enter: controller.room.enter, inline: async (ctx) => ctx.args.length });
  io.route('say', io.middleware.auth, async (_ctx, next) => next(), controller.chat.say);
  io.of('/chat').route('*', io.middleware.auth, 'room.enter');
  // A namespace without declared events accepts any event.
  io.of('/undeclared').emit('anything', 1);
  io.of('/undeclared').route('anything', (ctx) => ctx.args[0].whatever);

  // @ts-expect-error the event is not a string
  io.route(1, controller.chat.say);
  // @ts-expect-error the event is not a string
  io.of('/chat').route(/say/, controller.chat.say);
  // @ts-expect-error the handler is missing
  io.route('say');
  // @ts-expect-error the handler is missing
  io.of('/chat').route('say');
  // @ts-expect-error a controller is not a handler
  io.route('say', controller.chat);
  // @ts-expect-error the controller is not declared
  io.route('say', controller.chta.say);
  // @ts-expect-error the controller of the path is not declared
  io.route('say', 'chta.say');
  // @ts-expect-error a controller in an object of routes is not declared
  io.route({ say: 'chta.say' });
  // @ts-expect-error the middleware is not declared
  io.route('say', io.middleware.atuh, controller.chat.say);
  // @ts-expect-error a middleware of a route is a function, not a name
  io.route('say', 'auth', controller.chat.say);
  // @ts-expect-error the declared controller has no such method (Egg 4's Controller class accepts any name)
  io.route('say', controller.room.nope);
  // @ts-expect-error the parameter is not a context
  io.route('say', controller.chat.shout);
  // @ts-expect-error the namespace's name is missing
  io.of();
  // @ts-expect-error the namespace's name is not a number
  io.of(1);

  io.emit('news', 1);
  io.to('room').except('other').emit('news');
  io.user(42).emit('news');
  const count: number = io.of('/chat').presence('lobby').count();
  void io
    .presence()
    .list()
    .then((list) => list.ann?.[count]?.name);
  // @ts-expect-error a topic is a string
  io.presence(7);
  // @ts-expect-error a context is missing
  void io.presence().track();
  // @ts-expect-error a meta is an object
  void io.presence().track({} as Context, 42, 'text');
  io.of('/chat').user('ada').except('other').disconnectSockets(true);
  // @ts-expect-error the user's id is missing
  io.user();
  // @ts-expect-error an id is a string or a number
  io.of('/chat').user(undefined);
  // @ts-expect-error an id is not an array
  io.user([1, 2]);
  io.of('/chat').use((socket, next) => next(socket.handshake.auth.ok ? undefined : new Error('no')));
  io.on('connection', (socket) => socket.join('room'));
  const server: Server = io;
  const namespace: Namespace = io.of('/chat');
  void [server, namespace];
};

type Io = Application['io'];

export type Checks = [
  Expect<Equal<Io, IoServer>>,
  Expect<Equal<Io['controller']['chat'], ChatController>>,
  Expect<Equal<Io['controller']['chat']['say'], () => Promise<string>>>,
  // The middleware is declared as its factory function; app.io.middleware has the factory's result.
  Expect<Equal<Io['middleware']['auth'], (ctx: Context, next: () => Promise<any>) => Promise<void>>>,
];
