// `init.origins` and `io.origins()` of Socket.IO 2: which pages may connect, over HTTP and by WebSocket.
import type { IncomingMessage } from 'node:http';

/** A function of the application that checks an origin. */
type CheckOrigin = (origin: string, callback: (err: unknown, success?: boolean) => void) => void;

/** `init.origins`: `'*:*'`, a list separated by spaces, an array, or a function. */
export type OriginsValue = string | string[] | CheckOrigin;

type Callback = (err: unknown, isAllowed: boolean) => void;
type Headers = Pick<IncomingMessage, 'headers'>;

/** The allowed origins of a server. All are allowed until some are set. */
export class Origins {
  value: OriginsValue | undefined;

  constructor(value: OriginsValue | undefined) {
    this.value = value;
  }

  /** Whether a request may connect, as Socket.IO 2.5 decides it. */
  check({ headers }: Headers, callback: Callback): void {
    const { value } = this;
    const given = headers.origin ?? headers.referer;
    const origin = given === undefined || given === 'null' ? '*' : given;
    if (typeof value === 'function') {
      value(origin, (err, success) => callback(err, !err && success === true));
      return;
    }
    callback(null, value === undefined || allows(value, origin));
  }

  /** Returns why a request may not connect, or undefined if it may. */
  refusal(req: Headers): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.check(req, (err, isAllowed) => resolve(!err && isAllowed ? undefined : reasonOf(err)));
    });
  }
}

function allows(value: string | string[], origin: string): boolean {
  const allowed = (Array.isArray(value) ? value : value.split(' ')).map(String);
  if (allowed.includes('*:*')) return true;
  const { protocol, hostname, port } = parse(origin);
  const forms = [`${protocol}//${hostname}:${port}`, `${hostname}:${port}`, `${hostname}:*`, `*:${port}`];
  return forms.some((form) => allowed.includes(form));
}

function parse(origin: string): { protocol: string; hostname: string; port: string } {
  try {
    const { protocol, hostname, port } = new URL(origin);
    return { protocol, hostname, port: port || (protocol === 'https:' ? '443' : '80') };
  } catch {
    // `*`: the request has no origin. Socket.IO 2 takes it for port 80 of no host.
    return { protocol: '', hostname: '', port: '80' };
  }
}

/** The client receives what the application's function has passed, as in Socket.IO 2. */
function reasonOf(err: unknown): string {
  if (err instanceof Error) return err.message;
  return typeof err === 'string' ? err : 'the origin is not allowed by origins';
}

/**
 * Returns an `init.cors` that sends the headers to the allowed origins, once origins are set. A function of the application is not called:
 * it has decided about the handshake, and this runs for each request of polling.
 */
export function corsOf(origins: Origins) {
  return (
    req: Headers,
    callback: (err: Error | null, options: { origin: boolean; credentials: boolean }) => void,
  ): void => {
    if (origins.value === undefined) callback(null, { origin: false, credentials: false });
    else if (typeof origins.value === 'function') callback(null, { origin: true, credentials: true });
    else origins.check(req, (err, isAllowed) => callback(null, { origin: !err && isAllowed, credentials: true }));
  };
}
