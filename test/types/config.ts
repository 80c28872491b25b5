// The configuration of an application, in each form that Egg documents.
import type { Application, EggAppConfig, EggPlugin, PowerPartial } from 'egg';
import type { IoConfig } from 'egg-socket.io';
import type { Equal, Expect } from './expect';

export const plugin: EggPlugin = { io: { enable: true, package: 'egg-socket.io' } };

export default (): PowerPartial<EggAppConfig> => {
  const config = {} as PowerPartial<EggAppConfig>;
  config.keys = 'keys';
  config.io = {
    init: { cors: { origin: 'https://example.com' }, allowEIO3: true, maxHttpBufferSize: 1e6, wsEngine: 'eiows' },
    connectionMiddleware: ['auth'],
    packetMiddleware: [],
    namespace: {
      '/': {},
      '/chat': { connectionMiddleware: ['auth'], packetMiddleware: ['filter'] },
    },
    containListeners: false,
    redis: { host: '127.0.0.1', port: 6379, auth_pass: 'password', db: 1, maxRetriesPerRequest: 3 },
    generateId: (request) => `${request.headers['x-id']}`,
    user: async (ctx) => (ctx.session.user ? Number(ctx.session.user.id) : undefined),
  };
  return config;
};

export const literal: PowerPartial<EggAppConfig> = { io: { init: { path: '/io' } } };

export function wrong(config: PowerPartial<EggAppConfig>, app: Application): void {
  // @ts-expect-error the option does not exist
  config.io = { namespaces: {} };
  // @ts-expect-error Socket.IO has no such option
  config.io = { init: { transport: ['websocket'] } };
  // @ts-expect-error the chain does not exist
  config.io = { namespace: { '/': { connectionMiddlewares: [] } } };
  // @ts-expect-error it is true or false
  config.io = { containListeners: 'no' };
  // @ts-expect-error Redis has no such option
  config.io = { redis: { hostname: '127.0.0.1' } };
  // @ts-expect-error a chain is an array
  config.io = { connectionMiddleware: 'auth' };
  // @ts-expect-error a chain contains names
  config.io = { namespace: { '/': { packetMiddleware: [() => {}] } } };
  // @ts-expect-error a port is a number
  config.io = { redis: { port: '6379' } };
  config.io = { redis: false };
  config.io = { redis: async ({ config: { env } }) => ({ host: `redis.${env}`, port: 6379 }) };
  config.io = { redis: () => ({ clientName: 'default' }) };
  // @ts-expect-error a port is a number
  config.io = { redis: async () => ({ port: '6379' }) };
  // @ts-expect-error an id is a string
  config.io = { generateId: () => 1 };
  // @ts-expect-error generateId is not async
  config.io = { generateId: async () => 'id' };
  config.io = { user: true };
  config.io = { allowedOrigins: 'same-host' };
  config.io = { allowedOrigins: ['https://example.com', /^https:\/\/[a-z]+\.example\.com$/] };
  config.io = { allowedOrigins: async (origin, request) => origin === request.headers['x-origin'] };
  config.io = { allowedOrigins: false };
  // @ts-expect-error false lets all origins in
  config.io = { allowedOrigins: true };
  config.io = { user: (ctx) => ctx.session.userId };
  // @ts-expect-error an id is a string or a number
  config.io = { user: () => ({ id: 1 }) };
  // @ts-expect-error a string is not a function
  config.io = { user: 'userId' };
  config.io = { expires: (ctx) => ctx.data.claims.exp * 1000 };
  config.io = { expires: { at: async () => new Date(), grace: 5_000 } };
  config.io = { expires: false };
  // @ts-expect-error a time is a Date or a number
  config.io = { expires: () => '2030-01-01' };
  // @ts-expect-error the function is missing
  config.io = { expires: { grace: 5_000 } };
  // @ts-expect-error the size is a number
  config.io = { init: { maxHttpBufferSize: '1mb' } };
  // @ts-expect-error the option does not exist in the merged configuration
  app.config.io.nope;
}

export type Checks = [Expect<Equal<Application['config']['io'], IoConfig>>];
