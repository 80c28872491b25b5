// Handles an event packet of a client: session, packet middleware, listeners of the socket, the routed controller, the acknowledgement.
// Handles system events as well, which have a route and no packet middleware.
import { performance } from 'node:perf_hooks';
import { debuglog } from 'node:util';
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import { Ack } from './ack';
import { MAX_NAME, MAX_TEXT } from './client-log';
import { disconnects, type EventMessage, events, isTraced, traceEvent } from './diagnostics';
import { ackError, logFailure, logLastFailure, packetError, reportTooLong } from './error-response';
import { isError, messageOf, NoRouteError, thrownBy, withoutPrefix } from './errors';
import { isTooLong } from './internals/engineio';
import { callAnyListeners } from './internals/listeners';
import { dispatchToListeners, hasListeners } from './internals/socketio';
import { inScope } from './module-scope';
import { isReserved, type Route } from './router';
import { keepCookies } from './session';
import { type NamespaceRuntime, type SocketState, stateOf } from './socket-state';

const debug = debuglog('egg-socket.io:packet');

/** How many characters of an event's name are printed. */
const MAX_SHOWN = 100;

/** Replaces `socket.dispatch()`: runs the packet chain of the namespace for one event of a client. Never throws. */
export function handlePacket(socket: Socket, packet: unknown[]): void {
  const state = stateOf(socket) as SocketState;
  if (isDropped(state)) {
    callAnyListeners(socket, packet);
    debug('drop a packet of %s in %s', socket.id, socket.nsp.name);
    return;
  }
  const { runtime } = state;
  const { contexts } = runtime;
  runtime.counts.of(socket).events++;
  let ctx: Context;
  try {
    ctx = contexts.forPacket(state, packet);
  } catch (thrown) {
    // The application's own createContext has failed.
    callAnyListeners(socket, packet);
    runtime.counts.of(socket).errors++;
    packetError(runtime, { socket, event: packet[0] }, thrown);
    return;
  }
  if (isTraced(events)) void contexts.run(ctx, () => tracePacket(state, ctx, packet));
  else void contexts.run(ctx, () => runPacket(state, ctx, packet));
}

function tracePacket(state: SocketState, ctx: Context, packet: unknown[]): Promise<void> {
  const { socket, runtime } = state;
  const [event] = packet;
  const { router } = runtime;
  const message: EventMessage = {
    ctx,
    socket,
    namespace: router.name,
    event,
    route: router.nameOf(event),
    isSystem: false,
  };
  return traceEvent(message, async () => {
    await runPacket(state, ctx, packet, message);
    message.outcome ??= 'swallowed';
    // Not earlier: without config.io.onerror, clients receive the message with its prefix.
    if (isError(message.error)) message.error = withoutPrefix(message.error);
  });
}

/**
 * Whether the packets of a socket are not handled: its chain has disconnected it, its client has left, or its worker is closing and
 * the client is about to connect to another one.
 */
function isDropped({ admission, inFlight, socket }: SocketState): boolean {
  return admission !== undefined || inFlight.isClosing || !socket.connected;
}

/**
 * Runs the chain, then settles the acknowledgement or reports the error. Never rejects.
 *
 * It is one async function: each one more creates promises for each packet, and with async hooks they cost the most of it.
 *
 * @param trace - set if somebody subscribes to the event
 */
async function runPacket(state: SocketState, ctx: Context, packet: unknown[], trace?: EventMessage): Promise<void> {
  const { runtime, socket, inFlight } = state;
  const { packetChain, session, eventLimits, counts, inFlight: all } = runtime;
  let ack: Ack | undefined;
  let isLimited = false;
  /** What the chain has thrown: saving the session may fail as well. */
  let failure: { readonly thrown: unknown } | undefined;
  const innermost = () => dispatch(state, ctx, packet, ack, trace);
  const chain = () => (packetChain === undefined ? innermost() : packetChain(ctx, innermost));
  inFlight.begin();
  all.handlers.begin();
  const start = performance.now();
  try {
    callAnyListeners(socket, packet);
    ack = runtime.acks && Ack.of(runtime.acks, socket, packet, (err) => failLate(state, ctx, packet, ack, err, trace));
    if (eventLimits !== undefined) {
      await eventLimits.enter(state, ctx, packet);
      isLimited = true;
    }
    let result: unknown;
    try {
      if (session.isStored()) {
        result = await session.around(ctx, async () => {
          try {
            return await chain();
          } catch (thrown) {
            failure = { thrown };
            throw thrown;
          }
        });
      } else result = await chain();
    } catch (thrown) {
      failure ??= { thrown };
      throw thrown;
    } finally {
      try {
        const saving = session.saveUsed(ctx);
        if (saving !== undefined) await saving;
      } finally {
        // Also those of a packet whose session cannot be saved.
        keepCookies(ctx, state);
      }
    }
    ack?.settle(result);
  } catch (thrown) {
    fail(state, ctx, packet, ack, failure === undefined ? thrown : failure.thrown, trace);
    if (failure !== undefined && failure.thrown !== thrown) alsoFailed(state, packet, thrown);
  } finally {
    if (isLimited) eventLimits?.leave(state);
    counts.durations.add(performance.now() - start);
    inFlight.end();
    all.handlers.end();
  }
}

/** The innermost `next()` of the packet chain: passes the event to the listeners of the socket and to its route. */
function dispatch(
  { runtime, socket }: SocketState,
  ctx: Context,
  packet: unknown[],
  ack: Ack | undefined,
  trace: EventMessage | undefined,
): Promise<unknown> | undefined {
  const [event] = packet;
  if (isReserved(event)) throw new Error(`"${event}" is a reserved event name`);
  const hasListener = hasListeners(socket, event);
  if (hasListener) dispatchToListeners(socket, packet);
  const route = runtime.router.find(event);
  if (trace !== undefined) {
    // Middleware may have renamed the event.
    trace.route = runtime.router.nameOf(event);
    trace.outcome ??= hasListener || route !== undefined || hasAnyListener(socket, runtime) ? 'ok' : 'no route';
  }
  if (route !== undefined) return route.run(ctx, packet, ack);
  if (!hasListener) {
    const name = typeof event === 'string' ? event.slice(0, MAX_SHOWN) : typeof event;
    debug('no route in %s for the event %j of %s', socket.nsp.name, name, socket.id);
  }
  ack?.unrouted(hasListener || hasAnyListener(socket, runtime));
  return undefined;
}

/** Whether the socket has a listener of `onAny()` of the application. */
function hasAnyListener(socket: Socket, { watchers }: NamespaceRuntime): boolean {
  return socket.listenersAny().length > watchers;
}

function setError(trace: EventMessage, thrown: unknown): void {
  trace.outcome = thrown instanceof NoRouteError ? 'no route' : 'error';
  trace.error = thrownBy(thrown);
}

/**
 * Reports what a chain or a controller has thrown: to the client, by its acknowledgement or by the event `error`, and to the log. Never
 * throws.
 */
function fail(
  { runtime, socket }: SocketState,
  ctx: Context,
  [event]: unknown[],
  ack: Ack | undefined,
  thrown: unknown,
  trace: EventMessage | undefined,
): void {
  runtime.counts.of(socket).errors++;
  const source = { socket, event };
  try {
    if (trace !== undefined) setError(trace, thrown);
    if (ack?.isOpen) ackError(runtime, source, ack, thrown, ctx);
    // The client has already received the timeout as its answer.
    else if (ack?.isTooLate && runtime.acks?.auto) logFailure(runtime, source, thrown);
    else packetError(runtime, source, thrown, ctx);
  } catch (err) {
    logLastFailure(runtime, source, err);
  }
}

/** Logs that the session of a packet whose chain has failed cannot be saved either. Never throws. */
function alsoFailed({ runtime, socket }: SocketState, [event]: unknown[], thrown: unknown): void {
  runtime.counts.of(socket).errors++;
  logLastFailure(runtime, { socket, event }, thrown);
}

/** Reports a timeout of an acknowledgement, or an error of a controller that its middleware did not await. */
function failLate(
  { runtime, socket }: SocketState,
  ctx: Context,
  [event]: unknown[],
  ack: Ack | undefined,
  err: unknown,
  trace: EventMessage | undefined,
): void {
  const source = { socket, event };
  try {
    if (trace !== undefined) setError(trace, err);
    if (!socket.connected || ack === undefined) return;
    runtime.counts.of(socket).errors++;
    ackError(runtime, source, ack, err, ctx);
  } catch (thrown) {
    logLastFailure(runtime, source, thrown);
  }
}

/** Runs the route of the system event `connect`: the client is connected, and none of its packets was handled yet. */
export function handleConnected(state: SocketState): void {
  handleSystemEvent(state, 'connect');
}

/** Adds listeners for the routed system events `disconnecting` and `disconnect` of a socket. */
export function listenToSystemEvents({ socket, runtime: { router } }: SocketState): void {
  if (router.get('disconnecting')) socket.on('disconnecting', onDisconnecting);
  if (router.get('disconnect')) socket.on('disconnect', onDisconnect);
}

// One function for all sockets: there are many, and most are idle.
function onDisconnecting(this: Socket, reason: unknown): void {
  handleSystemEvent(stateOf(this), 'disconnecting', reason);
}

function onDisconnect(this: Socket, reason: unknown): void {
  handleSystemEvent(stateOf(this), 'disconnect', reason);
}

/**
 * Handles an error of the connection, as the system event `error`. A listener of `error` would not do: it is also called with a
 * client's packet of that name.
 */
export function handleConnectionError(socket: Socket, err: unknown): void {
  const state = stateOf(socket) as SocketState;
  if (handleSystemEvent(state, 'error', err)) return;
  state.runtime.counts.of(socket).errors++;
  // Socket.IO closes the connection right after an error of its decoder, and not after one of a function of `socket.use()`.
  if (socket.conn.readyState === 'open') process.nextTick(reportConnectionError, state, err);
  else logFailure(state.runtime, { socket }, err);
}

function reportConnectionError({ runtime, socket }: SocketState, err: unknown): void {
  if (socket.conn.readyState === 'open') {
    logFailure(runtime, { socket }, err);
    return;
  }
  const address = runtime.addressOf(socket.request, socket.handshake.address);
  const reason = messageOf(err).message.slice(0, MAX_TEXT);
  runtime.clientLog.warn(
    `broken packet ${runtime.router.name}`,
    `closed a connection, since a packet cannot be decoded: ${reason} (namespace ${socket.nsp.name.slice(0, MAX_NAME)}, client ${address})`,
  );
}

/** Publishes that a client has disconnected. Logs that its connection was closed because of a message over WebSocket that is too long. */
export function handleConnectionClosed(socket: Socket, reason: string, description: unknown): void {
  if (disconnects.hasSubscribers && socket.connected) {
    const namespace = (stateOf(socket) as SocketState).runtime.router.name;
    const duration = Math.max(0, Date.now() - socket.handshake.issued);
    disconnects.publish({ socket, namespace, reason, duration });
  }
  if (!isTooLong(description)) return;
  const { clientLog, addressOf } = (stateOf(socket) as SocketState).runtime;
  reportTooLong(clientLog, socket.nsp.server, addressOf(socket.request, socket.handshake.address));
}

/** Runs the route of a system event. Returns whether there is one. */
function handleSystemEvent(state: SocketState | undefined, event: string, ...args: unknown[]): boolean {
  const route = state?.runtime.router.get(event);
  if (state === undefined || route === undefined) return false;
  const { runtime, socket } = state;
  const { contexts, inFlight } = runtime;
  // Runs the handler at once: a handler of `disconnecting` reads the rooms that its socket is about to leave.
  const run = async (): Promise<void> => {
    const ctx = contexts.forPacket(state);
    ctx.args = args;
    // tegg creates its objects before the handler runs. By then the socket has left its rooms.
    if (runtime.scope !== undefined && event === 'disconnecting') ctx.rooms = new Set(socket.rooms);
    if (!isTraced(events)) await contexts.run(ctx, () => inScope(runtime.scope, ctx, () => route.run(ctx)));
    else await contexts.run(ctx, () => traceSystemEvent(state, route, ctx, event));
  };
  inFlight.handlers.begin();
  run()
    .catch((thrown) => {
      runtime.counts.of(socket).errors++;
      logFailure(runtime, { socket, event }, thrown);
    })
    .finally(() => inFlight.handlers.end());
  return true;
}

/** Rejects with what the handler has thrown. */
function traceSystemEvent({ runtime, socket }: SocketState, route: Route, ctx: Context, event: string): Promise<void> {
  const { router, scope } = runtime;
  const namespace = router.name;
  const message: EventMessage = { ctx, socket, namespace, event, route: event, isSystem: true };
  return traceEvent(message, async () => {
    try {
      await inScope(scope, ctx, () => route.run(ctx));
      message.outcome = 'ok';
    } catch (thrown) {
      setError(message, thrown);
      throw thrown;
    }
  });
}
