import type { Application } from 'egg';

export default (app: Application): void => {
  app.router.get('/login', app.controller.home.login);
  app.io.route('say', 'chat.say');
  app.io.route('shout', 'chat.shout');
  app.io.route('worker', (ctx) => ctx.args[0](process.pid));
  app.io.of('/room/:id').route('where', 'chat.where');
};
