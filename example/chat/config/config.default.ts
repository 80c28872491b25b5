// The configuration. The import of egg-socket.io also adds app.io, ctx.socket, ctx.args, … to Egg's types.
import type { EggAppInfo } from 'egg';
import type { IoConfig } from 'egg-socket.io';
import type { Session } from '../app/session';

export default (appInfo: EggAppInfo) => {
  const io: IoConfig = {
    // Serves the client to the page: /socket.io/socket.io.js
    init: { serveClient: true },
    // The user of a client: app.io.of('/chat').user(nickname) reaches all pages of a user, on every worker.
    user: (ctx) => (ctx.session as Session).nickname,
    namespace: {
      '/chat': {
        connectionMiddleware: ['auth'],
        packetMiddleware: ['log', 'validate'],
      },
    },
  };

  return {
    // Signs and encrypts the cookies. Store the keys of your application outside of the repository.
    keys: `${appInfo.name}-not-a-secret`,
    // Prevents other sites from connecting with the user's session.
    session: { sameSite: 'lax' },
    io,
  };
};
