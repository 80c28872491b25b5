// One connection seen from its two ends, which in a test are in one process. Made by server.ts, asked by client.ts.
import type { EventEmitter } from 'node:events';

/** The server's end: a connection of Engine.IO, as far as it is used here. */
export interface Conn extends EventEmitter {
  readonly id: string;
  sendPacket(type: 'ping'): void;
}

/** Knows when what was sent has arrived, by Engine.IO's own pings, which pass neither namespaces nor chains. */
export class Line {
  #pings = 0;
  #pongs = 0;
  #isClosed = false;
  readonly #waiting = new Set<() => void>();
  /** Fulfilled when the connection has closed. */
  readonly closed: Promise<void>;

  /** @param conn - a connection that has just begun: the pings of before would not be counted */
  constructor(private readonly conn: Conn) {
    conn.on('packetCreate', ({ type }: { type: string }) => {
      if (type === 'ping') this.#pings++;
    });
    conn.on('heartbeat', () => {
      this.#pongs++;
      this.#changed();
    });
    this.closed = new Promise((resolve) => {
      conn.once('close', () => {
        this.#isClosed = true;
        this.#changed();
        resolve();
      });
    });
  }

  /**
   * Sends a ping and waits for the pong: by then the client has got whatever the server had sent to it, and the server
   * whatever the client had sent when the ping reached it. Over at once where the connection has closed.
   */
  async roundTrip(): Promise<void> {
    this.conn.sendPacket('ping');
    const last = this.#pings;
    await new Promise<void>((resolve) => {
      const check = () => {
        if (this.#pongs < last && !this.#isClosed) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  #changed(): void {
    for (const check of this.#waiting) check();
  }
}
