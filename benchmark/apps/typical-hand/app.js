// The application of ../typical without the plugin: Socket.IO attached by hand, and for each event an Egg context with Egg's session.
const compose = require('koa-compose');
const { Server } = require('socket.io');
const options = require('../../servers/options.cjs');

async function auth(ctx, next) {
  const { user } = ctx.session;
  if (!user) throw new Error('not signed in');
  ctx.state.user = user;
  await next();
}

async function echo(ctx) {
  const [message, ack] = ctx.args;
  ack(await ctx.service.message.save(message));
}

module.exports = (app) => {
  const contextOf = ({ handshake: { headers, url } }) => app.createAnonymousContext({ headers, url });

  app.on('server', (server) => {
    const session = app.middlewares.session(app.config.session, app);
    const handleEcho = compose([session, auth, echo]);
    const io = new Server(server, options);

    io.use((socket, next) => {
      const { user } = contextOf(socket).session;
      next(user ? undefined : new Error('not signed in'));
    });

    io.on('connection', (socket) => {
      socket.join('room');
      socket.on('echo', async (...args) => {
        const ctx = contextOf(socket);
        ctx.args = args;
        try {
          await app.ctxStorage.run(ctx, handleEcho, ctx);
        } catch (err) {
          ctx.coreLogger.error(err);
          socket.emit('error', err.message);
        }
      });
    });
  });
};
