// The defaults of `config.io`. An application overrides them in its own config/config.default.
import type { IoConfig } from '../lib/config/config';

const config: { io: IoConfig } = {
  io: {
    /** Options of Socket.IO and Engine.IO: path, cors, transports, maxHttpBufferSize, allowEIO3, … */
    init: {},

    /**
     * Which origins may connect, besides those of init.cors.origin: 'same-host' adds none to that of the request's host. An origin, a
     * RegExp, an array of them, '*', or a function (origin, request) => boolean. false: all origins.
     */
    allowedOrigins: 'same-host',

    /**
     * The namespaces and their chains: names of files of app/io/middleware, in the order in which they run. A namespace that has
     * routes (`app.io.of(name).route()`) needs no entry. '/room/:id' configures all namespaces that match it; their contexts have
     * `ctx.params.id`.
     */
    namespace: {
      '/': {
        connectionMiddleware: [],
        packetMiddleware: [],
      },
    },

    /** How many namespaces such as those of '/room/:id' clients may create on a worker. Default: 10000. */
    maxNamespaces: undefined,

    /** Middleware that runs first in every namespace, such as guards. */
    connectionMiddleware: [],
    packetMiddleware: [],

    /**
     * The adapter, which sends broadcasts to other workers: 'memory', 'cluster', 'redis', 'redis-sharded', 'redis-streams', or a
     * function (app) => an adapter's constructor. Default: 'redis' if redis is set, else 'cluster' with several workers.
     */
    adapter: undefined,

    /** `{ host, port, auth_pass, db, … }` (any option of ioredis) or `{ clientName }` of egg-redis, or a function that returns them. */
    redis: undefined,

    /** How long `fetchSockets()` and other requests wait for the responses of other workers, in ms. Default: 5000. */
    requestsTimeout: undefined,

    /** Returns the id of a socket, `(request) => string`. Default: random ids of Socket.IO. */
    generateId: undefined,

    /** Returns the user id of a client, `(ctx) => id`, or `true` for `ctx.userId`. Enables `app.io.user(id)`. Default: off. */
    user: undefined,

    /**
     * Returns when the authentication of a client ends, `(ctx) => Date` or ms since 1970, or `{ at, grace }` with that function and a grace
     * period in ms (default: 30000). The client is then disconnected unless `ctx.reauthenticate()` renews it. Default: off.
     */
    expires: undefined,

    /** Whether Socket.IO 2's server API (nsp.connected, adapter.clients() and others) is given back. Default: false. */
    compat: undefined,

    /** Lets the admin UI of Socket.IO connect: `{ auth: { username, password } }`, with the bcrypt hash of the password. Default: off. */
    admin: undefined,

    /** Whether errors of listeners that are added by hand are logged. false: they end the worker. Default: true. */
    containListeners: undefined,

    /**
     * How a closing worker drains its connections: `{ timeout, spread }` in ms. Default: it waits for running handlers for at most
     * 80 % of the time that Egg gives it, and closes the connections over at most half of that. false: it closes them at once.
     */
    drain: undefined,

    /** 'auto': what a controller returns or throws is the acknowledgement. 'manual': the controller calls it. */
    ack: 'manual',

    /** After how many ms an acknowledgement that was not sent is answered with an error. Default: never. */
    ackTimeout: undefined,

    /** After how many ms a connection chain that has neither admitted nor refused its client is logged. Default: 10000. false: never. */
    slowConnection: undefined,

    /**
     * true: one line for each connection, event and disconnect in the log. A function `(entry) => string` returns the line, or a value that is
     * no string to log nothing. Default: false.
     */
    accessLog: undefined,

    /**
     * The metrics for Prometheus. true: durations are measured from the boot on. `{ register }`: a registry of prom-client that contains them.
     * Default: `app.io.metrics()` returns them, and durations are measured from its first call on.
     */
    metrics: undefined,

    /** How often presence is sent, in ms: `{ interval, heartbeat }`. Default: 100 and 5000. */
    presence: undefined,

    /**
     * What one client may take of a worker. On by default: `namespaces` (100), `unsentBytes` (16777216) and `packetsPerTurn` (50). Off:
     * `events`, `concurrency`, `argumentBytes`, `connectionsPerAddress` and `connectionsPerUser`. false turns a limit, or all of them, off.
     */
    limits: undefined,

    /** Returns what a client receives of an error, `(err, ctx) => response`. Default: err.data || err.message. */
    onerror: undefined,
  },
};

export default config;
