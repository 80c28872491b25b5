// The addresses of clients, for log lines.
import type { IncomingMessage } from 'node:http';
import type { Application } from 'egg';
import { ipOf } from './internals/egg';

/** How many characters of an address are logged: with `config.proxy` it is the text of a header. */
const MAX_LENGTH = 50;

/**
 * Returns the address of a client, as Egg's `ctx.ip`: with `config.proxy`, the one that the proxy has sent.
 *
 * @param req - a request of the client
 * @param peer - the address of the connection, if it is known. A closed connection may have lost its own
 */
export function clientAddress(app: Application, req: IncomingMessage | undefined, peer?: string): string {
  const ip = (req && ipOf(app, req)) || peer;
  return ip === undefined || ip === '' ? 'unknown' : ip.slice(0, MAX_LENGTH);
}
