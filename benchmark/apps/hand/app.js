// Socket.IO attached by hand, with what `plugin` has for an application: a middleware of each kind, a controller of Egg's class,
// app.currentContext. What it costs is no plugin's doing.
const { Server } = require('socket.io');
const options = require('../../servers/options.cjs');

module.exports = (app) => {
  class EchoController extends app.Controller {
    async echo() {
      const [data, answer] = this.ctx.args;
      answer(data);
    }
  }

  const received = async (ctx, next) => {
    ctx.received = ctx.packet[0];
    await next();
  };

  // The least that Egg's class asks of a context.
  function Context(socket, packet) {
    this.app = app;
    this.from = socket;
    this.packet = packet;
    this.args = packet.slice(1);
  }
  Context.prototype = Object.create(app.context);

  const enter = async (ctx, next) => {
    await ctx.from.join('room');
    await next();
  };

  const failed = (err) => app.coreLogger.error(err);
  const answer = (ctx) => received(ctx, () => new EchoController(ctx).echo()).catch(failed);

  app.on('server', (server) => {
    const io = new Server(server, options);
    io.use((socket, admit) => {
      const ctx = new Context(socket, []);
      const stay = () => {
        admit();
        return new Promise((leave) => socket.once('disconnect', leave));
      };
      app.ctxStorage.run(ctx, () => enter(ctx, stay).catch(failed));
    });
    io.on('connection', (socket) => {
      socket.on('echo', (...args) => {
        const ctx = new Context(socket, ['echo', ...args]);
        app.ctxStorage.run(ctx, answer, ctx);
      });
      socket.on('news', (data) => io.to('room').emit('news', data));
    });
  });
};
