// The routes of HTTP requests and of Socket.IO events.
import type { Application } from 'egg';

export default (app: Application) => {
  const { router, controller, io } = app;

  router.get('/', controller.home.index);
  router.post('/join', controller.home.join);
  router.post('/leave', controller.home.leave);
  router.post('/wave', controller.home.wave);

  const chat = io.of('/chat');
  chat.route('join', io.controller.chat.join);
  chat.route('say', io.controller.chat.say);
  chat.route('typing', io.controller.chat.typing);
  chat.route('fail', io.controller.chat.fail);
};
