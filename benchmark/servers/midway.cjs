// Midway with its own Socket.IO component: a controller, one connection middleware and one packet middleware.
require('reflect-metadata');
const { createServer } = require('node:net');
const { Bootstrap } = require('@midwayjs/bootstrap');
const { App, Configuration, Middleware, OnWSMessage, WSController } = require('@midwayjs/core');
const socketio = require('@midwayjs/socketio');
const { report } = require('./control.cjs');
const decorate = require('./decorate.cjs');
const options = require('./options.cjs');

class ConnectionMiddleware {
  resolve() {
    return async (socket, next) => {
      socket.join('room');
      return next();
    };
  }
}
decorate(ConnectionMiddleware, {}, [Middleware()]);

class PacketMiddleware {
  resolve() {
    return async (socket, next) => {
      socket.data.received = true;
      return next();
    };
  }
}
decorate(PacketMiddleware, {}, [Middleware()]);

class EchoController {
  async echo(data) {
    return data;
  }

  async news(data) {
    this.io.to('room').emit('news', data);
  }
}
const middleware = { connectionMiddleware: [ConnectionMiddleware], middleware: [PacketMiddleware] };
decorate(EchoController, { io: [App('socketIO')], echo: [OnWSMessage('echo')], news: [OnWSMessage('news')] }, [
  WSController('/', middleware),
]);

/** Returns a free port: Midway does not accept port 0. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function main() {
  const port = await freePort();
  class Application {}
  decorate(Application, {}, [
    Configuration({
      imports: [socketio],
      importConfigs: [{ default: { keys: 'benchmark', socketIO: { ...options, port } } }],
    }),
  ]);
  Bootstrap.configure({
    configurationModule: [Application],
    preloadModules: [ConnectionMiddleware, PacketMiddleware, EchoController],
    appDir: __dirname,
    baseDir: __dirname,
    moduleDetector: false,
  });
  await Bootstrap.run();
  report({ port });
}

main();
