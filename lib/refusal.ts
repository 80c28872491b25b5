// The answer to those who come to a worker that leaves: they try again on a new connection, which reaches another worker.
// Called by drain.ts and cluster/handover.ts.
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

const BODY = JSON.stringify({ message: 'the server is closing' });
const HEADERS = { connection: 'close', 'content-type': 'application/json', 'content-length': BODY.length };

/** Refuses a request, or an upgrade: for that Engine.IO makes a response that writes nothing. */
export function refuse({ socket }: IncomingMessage, res: ServerResponse): void {
  if (res instanceof ServerResponse) res.writeHead(503, HEADERS).end(BODY);
  else refuseUpgrade(socket);
}

export function refuseUpgrade(socket: Duplex): void {
  const lines = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 503 Service Unavailable\r\n${lines.join('')}\r\n${BODY}`, () => socket.destroy());
}
