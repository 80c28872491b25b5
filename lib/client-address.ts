// The addresses of clients, for log lines and for limits.
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import type { Application } from 'egg';
import { ipOf } from './internals/egg';

/** How many characters of an address are logged: with `config.proxy` it is the text of a header. */
const MAX_LENGTH = 50;
/** How many of the eight groups of an IPv6 address are the network: a provider gives each customer all addresses of such a network. */
const NETWORK_GROUPS = 4;

/**
 * Returns the address of a client, as Egg's `ctx.ip`: with `config.proxy`, the one that the proxy has sent.
 *
 * @param req - a request of the client
 * @param peer - the address of the connection, if it is known. A closed connection may have lost its own
 */
export function clientAddress(app: Application, req: IncomingMessage | undefined, peer?: string): string {
  const ip = (req && ipOf(app, req)) || peer;
  return ip === undefined || ip === '' ? 'unknown' : unmapped(ip).slice(0, MAX_LENGTH);
}

/** Returns what stands for all addresses of one client: an IPv4 address, or the network of an IPv6 address. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const ip = unmapped(address);
  if (ip !== address) return ip;
  const [head = '', tail] = (address.split('%')[0] as string).toLowerCase().split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
    groups.push(...rest);
  }
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}

/** Returns an IPv4 address that is written as an IPv6 address in its own form. Any other address stays as it is. */
function unmapped(address: string): string {
  return /^::ffff:([\d.]+)$/i.exec(address)?.[1] ?? address;
}
