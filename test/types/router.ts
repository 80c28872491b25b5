// app/router.ts of an application: app.io, its namespaces and their routes.
import type { Application, Context } from 'egg';
import type { Handler, IoNamespace, IoServer } from 'egg-socket.io';
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
  // What is not declared can be used all the same.
  io.route('undeclared', controller.news.nested.list);

  // @ts-expect-error the event is no string
  io.route(1, controller.chat.say);
  // @ts-expect-error nor is it here
  io.of('/chat').route(/say/, controller.chat.say);
  // @ts-expect-error the handler is missing
  io.route('say');
  // @ts-expect-error here, too
  io.of('/chat').route('say');
  // @ts-expect-error a controller is no handler
  io.route('say', controller.chat);
  // @ts-expect-error the name of a method is no handler
  io.route('say', 'chat.say');
  // @ts-expect-error a declared controller has the methods that it has (Egg 4's class takes any name)
  io.route('say', controller.room.nope);
  // @ts-expect-error it is called with a context
  io.route('say', controller.chat.shout);
  // @ts-expect-error a namespace has a name
  io.of();
  // @ts-expect-error and its name is no number
  io.of(1);

  io.emit('news', 1);
  io.to('room').except('other').emit('news');
  io.of('/chat').use((socket, next) => next(socket.handshake.auth.ok ? undefined : new Error('no')));
  io.on('connection', (socket) => socket.join('room'));
  const server: Server = io;
  const namespace: Namespace = io.of('/chat');
  void [server, namespace];
};

type Io = Application['io'];

export type Checks = [
  Expect<Equal<Io, IoServer>>,
  Expect<Equal<ReturnType<Io['of']>, IoNamespace>>,
  Expect<Equal<Io['controller']['chat'], ChatController>>,
  Expect<Equal<Io['controller']['chat']['say'], () => Promise<string>>>,
  Expect<Equal<Parameters<Io['route']>, [event: string, handler: Handler]>>,
  Expect<Equal<ReturnType<Io['middleware']['auth']>, (ctx: Context, next: () => Promise<any>) => Promise<void>>>,
];
