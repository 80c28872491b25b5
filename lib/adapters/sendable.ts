// What can be sent to other workers: what JSON expresses, and binary data. `socket.data` may hold other values, such as a BigInt or an object
// that contains itself: `fetchSockets()` of another worker lists the socket without them.

/** A socket in the response to `fetchSockets()`. */
export interface FetchedSocket {
  readonly id: string;
  readonly handshake: object;
  readonly rooms: string[];
  readonly data: unknown;
}

/** How many different warnings are logged. */
const MAX_WARNINGS = 100;
/** How many characters of a name are logged. A client may send any name in `handshake.auth`. */
const MAX_SHOWN = 100;
/** How many levels of objects a value may have in a response that was too deep for its encoder: MessagePack encodes 100, with its frame. */
const MAX_DEPTH = 90;

/**
 * Checks a value that is about to be sent.
 *
 * @param maxDepth - how many levels of objects it may have. Default: as many as the stack of Node allows
 * @param parents - the objects that contain the value
 * @throws {TypeError} if the value cannot be sent. What a getter or `toJSON` throws
 */
export function assertSendable(
  value: unknown,
  maxDepth = Number.POSITIVE_INFINITY,
  parents: Set<unknown> = new Set(),
): void {
  // It throws, unless the application has defined BigInt.prototype.toJSON.
  if (typeof value === 'bigint') JSON.stringify(value);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return;
  if (value instanceof Blob) throw new TypeError('a Blob cannot be sent to other workers: send a Buffer');
  if (parents.has(value)) throw new TypeError('an object that contains itself cannot be sent to other workers');
  if (parents.size >= maxDepth) throw new TypeError(`more than ${maxDepth} levels of objects`);
  parents.add(value);
  const { toJSON } = value as { toJSON?: unknown };
  const members = typeof toJSON === 'function' ? [toJSON.call(value)] : Object.values(value);
  for (const member of members) assertSendable(member, maxDepth, parents);
  parents.delete(value);
}

/** Called with the path of a value that is left out, such as `data.user`, and with the reason. */
type LeftOut = (path: string, reason: unknown) => void;

/** Leaves out what cannot be sent of sockets. One for a worker. */
export class SendableSockets {
  readonly #warned = new Set<string>();

  constructor(private readonly log: { warn(message: string): void }) {}

  /** Returns the sockets with what can be sent of them. Logs what is left out: once for each namespace and key of `data`, and once of handshakes. */
  of(nsp: string, sockets: readonly FetchedSocket[]): FetchedSocket[] {
    return sockets.map(({ id, handshake, rooms, data }) => {
      const leftOut: LeftOut = (path, reason) => this.#warn(`${nsp} ${path}`, nsp, path, id, reason);
      // Clients send it. One key for all: warnings of the application's own data are logged nevertheless.
      const leftOutOfHandshake: LeftOut = (path, reason) => this.#warn('handshake', nsp, path, id, reason);
      return {
        id,
        // `handshake.auth` stays an object if one of its members is left out.
        handshake: (sendable(() => handshake, 'handshake', 2, leftOutOfHandshake) ?? {}) as object,
        rooms: rooms.filter((room) => sendable(() => room, 'rooms', 0, leftOut) !== undefined),
        data: sendable(() => data, 'data', 1, leftOut) ?? {},
      };
    });
  }

  #warn(key: string, nsp: string, path: string, id: string, err: unknown): void {
    if (this.#warned.has(key) || this.#warned.size >= MAX_WARNINGS) return;
    this.#warned.add(key);
    const [reason] = String((err as Error)?.message ?? err).split('\n', 1);
    this.log.warn(
      `[egg-socket.io] fetchSockets() of another worker gets the sockets of ${nsp} without socket.${shown(path)}: ${reason}. It must be JSON or binary data (socket ${id})`,
    );
  }
}

/**
 * Returns a value, or a copy without the members that cannot be sent. Undefined if there is nothing to copy.
 *
 * @param read - returns the value. A getter may throw
 * @param levels - of how many levels of objects members are left out
 */
function sendable(read: () => unknown, path: string, levels: number, leftOut: LeftOut): unknown {
  let value: unknown;
  try {
    value = read();
    assertSendable(value, MAX_DEPTH);
    return value;
  } catch (err) {
    if (levels === 0 || typeof value !== 'object' || value === null) {
      leftOut(path, err);
      return undefined;
    }
    const object = value as Record<string, unknown>;
    const members = Object.keys(object).map(
      (key) => [key, sendable(() => object[key], `${path}.${key}`, levels - 1, leftOut)] as const,
    );
    // Functions are not sent, and a toJSON that has failed must not be called again.
    return Object.fromEntries(members.filter(([, member]) => member !== undefined && typeof member !== 'function'));
  }
}

/** Returns the beginning of a name, on one line. */
function shown(name: string): string {
  return JSON.stringify(name.slice(0, MAX_SHOWN)).slice(1, -1);
}
