// Clients of Socket.IO 2, which init.allowEIO3 lets in: they pass `/` before any other namespace, as Socket.IO 2 saw to it.
// Socket.IO 4 lets them in at once, past whatever guards `/`. Called by server.ts for each namespace.
import type { Namespace, Socket } from 'socket.io';

type Connection = Socket['conn'];
/** Socket.IO's callback of a namespace middleware. */
type Next = (err?: Error) => void;

/** The connections whose client is in `/`. */
const passed = new WeakSet<Connection>();
/** By connection, what waits for that, by namespace: a client that asks twice for one is refused. */
const waiting = new WeakMap<Connection, Map<string, Next>>();

/** Lets clients of Socket.IO 2 into a namespace when they are in `/`. */
export function passDefaultFirst(nsp: Namespace): void {
  if (nsp.name === '/') nsp.on('connection', ({ conn }: Socket) => letIn(conn));
  else nsp.use((socket, next) => wait(socket, next));
}

function wait({ conn, nsp }: Socket, next: Next): void {
  if (conn.protocol !== 3 || passed.has(conn)) {
    next();
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
  // Told to go on after the close, Socket.IO forgets the socket.
  conn.once('close', () => letIn(conn));
  return all;
}

function letIn(conn: Connection): void {
  if (conn.protocol !== 3) return;
  passed.add(conn);
  const all = waiting.get(conn)?.values() ?? [];
  waiting.delete(conn);
  for (const next of all) next();
}
