// The defaults of `config.io`. An application overrides them in its own config/config.default.ts.
import type { IoConfig } from '../lib/config/config';

const config: { io: IoConfig } = {
  io: {
    /** Options of Socket.IO's and Engine.IO's servers: path, cors, transports, maxHttpBufferSize, allowEIO3, … */
    init: {},

    /**
     * The namespaces and their chains: names of files of app/io/middleware, run in this order.
     * A namespace that is routed (`app.io.of(name).route()`) needs no entry. '/room/:id' stands for all that match; their
     * contexts have `ctx.params.id`.
     */
    namespace: {
      '/': {
        connectionMiddleware: [],
        packetMiddleware: [],
      },
    },

    /** How many namespaces that clients ask for, such as those of '/room/:id', a worker has at most. Unset: 10000. */
    maxNamespaces: undefined,

    /** Chains that run first in every namespace, for what must guard all of them. */
    connectionMiddleware: [],
    packetMiddleware: [],

    /**
     * What carries broadcasts to other workers: 'memory', 'cluster', 'redis', 'redis-sharded', 'redis-streams', or a function
     * (app) => an adapter's constructor. Unset: redis where it is set, else 'cluster' with several workers.
     */
    adapter: undefined,

    /** `{ host, port, auth_pass, db, … }` (any option of ioredis) or `{ clientName }` of egg-redis. Unset: no Redis. */
    redis: undefined,

    /** `(request) => string`: makes the ids of sockets. Unset: Socket.IO's random ids. */
    generateId: undefined,

    /** `(ctx) =>` the id of the client's user, for app.io.user(id). true: ctx.userId. Unset: clients are nobody's. */
    user: undefined,

    /**
     * How a worker that closes lets go of its clients, in ms: `{ timeout, spread }`. Unset: it waits for what is running for
     * at most 80 % of the time that Egg gives it, and spreads its clients over at most half of that. false: closes at once.
     */
    drain: undefined,

    /** 'auto': what a controller returns or throws is the client's ack. 'manual': the controller calls it. */
    ack: 'manual',

    /** After how many ms an ack that nobody has called is answered with an error. Unset: never. */
    ackTimeout: undefined,

    /** `(err, ctx) =>` what a client is told of an error. Unset: err.data || err.message. */
    onerror: undefined,
  },
};

export default config;
