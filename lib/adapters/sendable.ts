// What other workers receive of the sockets of this worker, for `fetchSockets()`: if `socket.data` holds a value that JSON cannot express,
// such as an object that contains itself or a BigInt, the socket is listed without that value.

/** A socket in the response to `fetchSockets()`. */
export interface FetchedSocket {
  readonly id: string;
  readonly handshake: object;
  readonly rooms: string[];
  readonly data: unknown;
}

/** How many different warnings are logged. */
const MAX_WARNINGS = 100;

/** Leaves out what cannot be sent. One for a worker. */
export class SendableSockets {
  readonly #warned = new Set<string>();

  constructor(private readonly log: { warn(message: string): void }) {}

  /** Returns the sockets with what can be sent of them. Logs the rest, once for each namespace and key. */
  of(nsp: string, sockets: readonly FetchedSocket[]): FetchedSocket[] {
    return sockets.map(({ id, handshake, rooms, data }) => {
      const omitted = (name: string) => (key: string, err: unknown) => this.#warn(nsp, `${name}.${key}`, id, err);
      return {
        id,
        rooms,
        handshake: sendable(handshake, omitted('handshake')),
        data: sendable(data, omitted('data')),
      };
    });
  }

  #warn(nsp: string, name: string, id: string, err: unknown): void {
    const key = `${nsp} ${name}`;
    if (this.#warned.has(key) || this.#warned.size >= MAX_WARNINGS) return;
    this.#warned.add(key);
    const [reason] = String((err as Error)?.message ?? err).split('\n', 1);
    this.log.warn(
      `[egg-socket.io] fetchSockets() of another worker gets the sockets of ${nsp} without socket.${name}: ${reason}. It must be JSON or binary data (socket ${id})`,
    );
  }
}

/** Returns an object without the members that JSON cannot express. In place of a BigInt it returns an empty object. */
function sendable<T>(value: T, omitted: (key: string, err: unknown) => void): T {
  if (isSendable(value)) return value;
  const result: Record<string, unknown> = {};
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  for (const key of keys) {
    try {
      const member: unknown = Reflect.get(value as object, key);
      JSON.stringify(member);
      result[key] = member;
    } catch (err) {
      omitted(key, err);
    }
  }
  return result as T;
}

function isSendable(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
}
