// The application's configuration. Importing a type of egg-socket.io also gives Egg's types app.io, ctx.socket, ctx.args…
import type { EggAppInfo } from 'egg';
import type { IoConfig } from 'egg-socket.io';
import type { Session } from '../app/session';

export default (appInfo: EggAppInfo) => {
  const io: IoConfig = {
    // The page gets its client from this server: /socket.io/socket.io.js
    init: { serveClient: true },
    // Whose client it is: app.io.of('/chat').user(nickname) reaches all of somebody's pages, on every worker.
    user: (ctx) => (ctx.session as Session).nickname,
    namespace: {
      '/chat': {
        connectionMiddleware: ['auth'],
        packetMiddleware: ['log', 'validate'],
      },
    },
  };

  return {
    // Signs and encrypts the cookies. Your application keeps its keys secret, outside of the repository.
    keys: `${appInfo.name}-not-a-secret`,
    // Other sites can't connect with the visitor's session.
    session: { sameSite: 'lax' },
    io,
  };
};
