// A client's request on its way through another worker's back door, and the answer on its way back. Called by handover.ts.
import { type Agent, type IncomingMessage, type RequestOptions, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { onClose } from '../on-close';
import { HANDOVER } from './internal-server';

/** Headers that are about one connection, not about the request. */
const HOP = new Set('connection expect keep-alive proxy-connection te trailer transfer-encoding upgrade'.split(' '));
/** The same, and those about a body. Where Engine.IO reads none, one would look like another request over there. */
const WITHOUT_BODY = new Set([...HOP, 'content-length']);
/** How many ms a worker that hangs may keep a WebSocket waiting. */
const PATIENCE = 10_000;

/** A way to another worker. */
export interface Passage {
  /** The unix socket of its back door. */
  door: string;
  /** Called where nobody is there. */
  refused(): void;
}

/**
 * Passes a request of long-polling on.
 *
 * @param answered - called before the answer goes to the client
 */
export function pass(
  { door, agent, refused }: Passage & { agent: Agent },
  req: IncomingMessage,
  res: ServerResponse,
  answered: () => void,
): void {
  const hasBody = req.method === 'POST';
  const there = ask(door, req, endToEnd(req.rawHeaders, hasBody ? HOP : WITHOUT_BODY), { agent });
  if (there === undefined) {
    refused();
    return;
  }
  let isAnswered = false;
  there.once('response', (answer) => {
    isAnswered = true;
    answered();
    answer.on('error', () => res.destroy());
    res.writeHead(answer.statusCode as number, answer.statusMessage, endToEnd(answer.rawHeaders, HOP));
    answer.pipe(res);
  });
  there.on('error', () => {
    // What becomes of an answer, the answer tells.
    if (!isAnswered && !res.destroyed) refused();
  });
  onceOver(res, () => {
    there.destroy();
    // What nobody has read of a body stands before the client's next request.
    req.unpipe(there);
    req.resume();
  });
  if (hasBody) req.pipe(there);
  else there.end();
}

/**
 * Splices a WebSocket. What the client sends goes there when that worker has agreed to it, not before: no byte of a client is
 * ever read as a request to a back door.
 */
export function splice({ door, refused }: Passage, req: IncomingMessage, socket: Socket, head: Buffer): void {
  const headers = [...endToEnd(req.rawHeaders, WITHOUT_BODY), 'Connection', 'Upgrade'];
  headers.push('Upgrade', req.headers.upgrade as string);
  const createConnection = () => connect({ path: door, allowHalfOpen: true });
  const there = ask(door, req, headers, { createConnection, timeout: PATIENCE });
  if (there === undefined) {
    refused();
    return;
  }
  let isAnswered = false;
  // What went wrong with a connection doesn't matter, its end does.
  socket.on('error', () => {});
  socket.once('close', () => there.destroy());
  there.once('timeout', () => there.destroy(new Error('no answer')));
  there.on('error', () => {
    if (!isAnswered && !socket.destroyed) refused();
  });
  there.once('upgrade', (answer, other, rest) => {
    isAnswered = true;
    other.on('error', () => {});
    other.once('close', () => socket.destroy());
    socket.once('close', () => other.destroy());
    for (const end of [socket, other]) end.setTimeout(0);
    socket.write(headOf(answer, answer.rawHeaders), 'latin1');
    socket.write(rest);
    other.write(head);
    socket.pipe(other).pipe(socket);
  });
  there.once('response', (answer) => {
    isAnswered = true;
    answer.on('error', () => socket.destroy());
    socket.write(headOf(answer, [...endToEnd(answer.rawHeaders, HOP), 'Connection', 'close']), 'latin1');
    answer.pipe(socket, { end: false });
    // Whether or not the client closes its own side.
    answer.once('end', () => socket.end(() => socket.destroy()));
  });
  there.end();
}

/**
 * Calls `over` once, when a request has been answered or can't be any more. One that stands behind others on its connection
 * has no `close` of its own when that is lost.
 */
export function onceOver(res: ServerResponse, over: () => void): void {
  const forget = onClose(res.req.socket, over);
  res.once('close', () => forget() && over());
}

/** The request to another worker; undefined where Node lets a client write what it doesn't write itself. */
function ask(door: string, { method, url }: IncomingMessage, headers: string[], options: RequestOptions) {
  try {
    return request({
      ...options,
      socketPath: door,
      method,
      path: HANDOVER + url,
      headers: headers as never,
      setHost: false,
    });
  } catch {
    return undefined;
  }
}

/** Raw headers without those of that kind. */
function endToEnd(raw: string[], without: Set<string>): string[] {
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    if (!without.has((raw[at] as string).toLowerCase())) kept.push(raw[at] as string, raw[at + 1] as string);
  }
  return kept;
}

/** The head of an answer. */
function headOf({ statusCode, statusMessage }: IncomingMessage, headers: string[]): string {
  let head = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`;
  for (let at = 0; at < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return `${head}\r\n`;
}
