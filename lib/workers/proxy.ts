// Passes a client's request on to the internal server of another worker, and the response back: long-polling as an HTTP request, a
// WebSocket as a connection that is spliced to the client's.
import { type Agent, type IncomingMessage, type RequestOptions, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { onClose } from '../on-close';
import { CLIENT_ADDRESS, FORWARD_PATH } from './internal-server';

/** Headers that concern one connection, not the request, and the one that only workers send. */
const HOP_BY_HOP = new Set(
  `connection expect keep-alive proxy-connection te trailer transfer-encoding upgrade ${CLIENT_ADDRESS}`.split(' '),
);
/** The same, and those of a body. If no body is sent, the other worker would take the next request for one. */
const HOP_BY_HOP_AND_BODY = new Set([...HOP_BY_HOP, 'content-length']);
/** How long a worker may take to respond to an upgrade, in ms. */
const UPGRADE_TIMEOUT = 10_000;

/** The internal server of another worker. */
interface Destination {
  /** The path of its unix socket. */
  socketPath: string;
  /** Called if the request cannot be forwarded. */
  refused(): void;
}

/**
 * Forwards a request of long-polling.
 *
 * @param onResponse - called before the response is sent to the client
 */
export function proxyRequest(
  { socketPath, agent, refused }: Destination & { agent: Agent },
  req: IncomingMessage,
  res: ServerResponse,
  onResponse: () => void,
): void {
  // Engine.IO reads a body of POST only.
  const hasBody = req.method === 'POST';
  const headers = withoutHeaders(req.rawHeaders, hasBody ? HOP_BY_HOP : HOP_BY_HOP_AND_BODY);
  const forwarded = createRequest(socketPath, req, headers, { agent });
  if (forwarded === undefined) {
    refused();
    return;
  }
  let hasResponse = false;
  forwarded.once('response', (response) => {
    hasResponse = true;
    onResponse();
    response.on('error', () => res.destroy());
    res.writeHead(
      response.statusCode as number,
      response.statusMessage,
      withoutHeaders(response.rawHeaders, HOP_BY_HOP),
    );
    response.pipe(res);
  });
  forwarded.on('error', () => {
    // After the response has begun, its own `error` is emitted.
    if (!hasResponse && !res.destroyed) refused();
  });
  onceFinished(res, () => {
    forwarded.destroy();
    // The client's connection continues with its next request after the rest of the body.
    req.unpipe(forwarded);
    req.resume();
  });
  if (hasBody) req.pipe(forwarded);
  else forwarded.end();
}

/**
 * Forwards an upgrade. What the client sends is passed on only after the other worker has accepted it: the internal server never parses
 * bytes of a client as a request.
 */
export function proxyUpgrade(
  { socketPath, refused }: Destination,
  req: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  const headers = [...withoutHeaders(req.rawHeaders, HOP_BY_HOP_AND_BODY), 'Connection', 'Upgrade'];
  headers.push('Upgrade', req.headers.upgrade as string);
  const createConnection = () => connect({ path: socketPath, allowHalfOpen: true });
  const forwarded = createRequest(socketPath, req, headers, { createConnection, timeout: UPGRADE_TIMEOUT });
  if (forwarded === undefined) {
    refused();
    return;
  }
  let hasResponse = false;
  // Errors of either connection are followed by `close`, which closes the other.
  socket.on('error', () => {});
  socket.once('close', () => forwarded.destroy());
  forwarded.once('timeout', () => forwarded.destroy(new Error('timeout')));
  forwarded.on('error', () => {
    if (!hasResponse && !socket.destroyed) refused();
  });
  forwarded.once('upgrade', (response, other, rest) => {
    hasResponse = true;
    other.on('error', () => {});
    other.once('close', () => socket.destroy());
    socket.once('close', () => other.destroy());
    for (const end of [socket, other]) end.setTimeout(0);
    socket.write(headOf(response, response.rawHeaders), 'latin1');
    socket.write(rest);
    other.write(head);
    socket.pipe(other).pipe(socket);
  });
  forwarded.once('response', (response) => {
    hasResponse = true;
    response.on('error', () => socket.destroy());
    const kept = withoutHeaders(response.rawHeaders, HOP_BY_HOP);
    socket.write(headOf(response, [...kept, 'Connection', 'close']), 'latin1');
    response.pipe(socket, { end: false });
    // A client that does not close its side is disconnected.
    response.once('end', () => socket.end(() => socket.destroy()));
  });
  forwarded.end();
}

/**
 * Calls `callback` once, when a response is finished or its connection is closed. The response to a pipelined request that waits for
 * earlier ones does not emit `close` if the connection is lost.
 */
export function onceFinished(res: ServerResponse, callback: () => void): void {
  const cancel = onClose(res.req.socket, callback);
  res.once('close', () => cancel() && callback());
}

const LAST = Symbol('egg-socket.io:last-forwarded');

/** The connection of a client, with the response to the last of its forwarded requests. */
type ClientConnection = Socket & { [LAST]?: ServerResponse | undefined };

/**
 * Calls `callback` when the responses to earlier forwarded requests of the same connection have finished. Node emits all pipelined requests
 * at once: without this, one client could open any number of connections to other workers.
 */
export function inTurn(res: ServerResponse, callback: () => void): void {
  const socket: ClientConnection = res.req.socket;
  const previous = socket[LAST];
  socket[LAST] = res;
  res.once('close', () => {
    if (socket[LAST] === res) socket[LAST] = undefined;
  });
  if (previous === undefined) callback();
  else previous.once('close', () => socket.destroyed || callback());
}

/** Creates the request to another worker, or returns undefined if Node refuses to send what it has accepted from the client. */
function createRequest(
  socketPath: string,
  { method, url, socket }: IncomingMessage,
  headers: string[],
  options: RequestOptions,
) {
  try {
    return request({
      ...options,
      socketPath,
      method,
      path: FORWARD_PATH + url,
      headers: socket.remoteAddress === undefined ? headers : [CLIENT_ADDRESS, socket.remoteAddress, ...headers],
      setHost: false,
    });
  } catch {
    return undefined;
  }
}

/** Returns raw headers without those in a set. */
function withoutHeaders(rawHeaders: string[], excluded: Set<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!excluded.has(name.toLowerCase())) kept.push(name, rawHeaders[i + 1] as string);
  }
  return kept;
}

/** Returns the status line and the headers of a response. */
function headOf({ statusCode, statusMessage }: IncomingMessage, headers: string[]): string {
  let head = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${head}\r\n`;
}
