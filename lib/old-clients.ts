// Clients of Socket.IO 2, which init.allowEIO3 lets in: they pass `/` before any other namespace, as Socket.IO 2 saw to it.
// Socket.IO 4 lets them in at once, past whatever guards `/`. Called by server.ts for each namespace.
import type { Namespace, Socket } from 'socket.io';

type Connection = Socket['conn'];
/** Socket.IO's callback of a namespace middleware. */
type Next = (err?: Error) => void;

/** By connection, what waits until its client is in `/`, by namespace: a client that asks twice for one is refused. */
const waiting = new WeakMap<Connection, Map<string, Next>>();

/** Lets clients of Socket.IO 2 into a namespace when they are in `/`. */
export function passDefaultFirst(nsp: Namespace): void {
  if (nsp.name !== '/') nsp.use((socket, next) => wait(socket, next));
  // In a later tick: a client that the chain has disconnected is out again by then.
  else nsp.on('connection', (socket: Socket) => process.nextTick(() => isIn(socket) && settle(socket.conn)));
}

/** Whether the client is in `/` now: who has left it, or was sent away, has to come back first. */
function isIn({ client }: Socket): boolean {
  return (client as unknown as { nsps: Map<string, Socket> }).nsps.has('/');
}

function wait(socket: Socket, next: Next): void {
  const { conn, nsp } = socket;
  if (conn.protocol !== 3 || isIn(socket)) {
    next();
    return;
  }
  // It has left between asking and now: its close has been, and would be waited for in vain.
  if (conn.readyState === 'closed') {
    next(new Error('the client has left'));
    return;
  }
  const all = waitingOn(conn);
  if (all.has(nsp.name)) next(new Error(`already connecting to ${nsp.name}`));
  else all.set(nsp.name, next);
}

function waitingOn(conn: Connection): Map<string, Next> {
  const known = waiting.get(conn);
  if (known) return known;
  const all = new Map<string, Next>();
  waiting.set(conn, all);
  // Refused after the close, Socket.IO forgets the socket, and no chain runs for who never was in `/`.
  conn.once('close', () => settle(conn, new Error('the client has left')));
  return all;
}

function settle(conn: Connection, err?: Error): void {
  const all = waiting.get(conn);
  if (all === undefined) return;
  const nexts = [...all.values()];
  all.clear();
  for (const next of nexts) next(err);
}
