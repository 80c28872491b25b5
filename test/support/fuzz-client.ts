// A hostile client: performs generated steps over TCP connections, byte by byte as it likes.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import type { Hostile, Request, Session, Step } from './fuzz-steps';
import { until } from './wait';

const PATH = '/socket.io/';
const SEPARATOR = '\x1e';
const SESSION_ID = /"sid":"([^"]+)"/;
const MASK = Buffer.from([1, 2, 3, 4]);

/** How much of what the server sends is kept, in bytes: enough for a handshake. */
const KEPT = 2_000;

/** A TCP connection. */
interface Connection {
  socket: Socket;
  /** The beginning of what the server has sent. */
  received: string;
  isClosed: boolean;
}

/** Session ids that the clients of a burst have. */
type Sessions = string[];

export class HostileClient {
  readonly #all: Connection[] = [];
  /** The connections for HTTP requests, by number. */
  readonly #http = new Map<number, Connection>();
  #webSocket: Connection | undefined;
  #sessionId: string | undefined;
  /** Whether the server has answered that it does not know the session. */
  #isUnknown = false;

  /**
   * @param turn - resolves when the server has handled what it has received so far
   * @param sessions - shared by the clients of a burst
   */
  constructor(
    private readonly port: number,
    private readonly hostile: Hostile,
    private readonly turn: () => Promise<void>,
    private readonly sessions: Sessions,
  ) {}

  /** Performs all steps. If the server has closed the connection, the client connects again before the next step. */
  async run(): Promise<void> {
    await this.#open();
    for (const step of this.hostile.steps) {
      if (this.#isLost()) await this.#open();
      await this.#perform(step);
    }
  }

  /** Closes all connections. */
  close(): void {
    for (const { socket } of this.#all) socket.destroy();
  }

  async #open(): Promise<void> {
    const { transport, compresses, connects } = this.hostile;
    this.#webSocket = undefined;
    this.#isUnknown = false;
    if (transport === 'polling') await this.#handshake();
    if (transport === 'websocket') this.#webSocket = await this.#openWebSocket('none', compresses);
    if (connects && transport !== 'none') await this.#connect('/');
  }

  #isLost(): boolean {
    const { transport } = this.hostile;
    return transport !== 'none' && (this.#isUnknown || (this.#webSocket ?? this.#http.get(0))?.isClosed === true);
  }

  async #perform(step: Step): Promise<void> {
    switch (step.do) {
      case 'send':
        for (let i = 0; i < step.repeat; i++) this.#send(step.packets);
        return;
      case 'attach':
        return this.#attach(step.size);
      case 'connect':
        return this.#connect(step.namespace);
      case 'rooms':
        return this.#send(Array.from({ length: step.count }, (_, i) => `40/room/${step.from + i},`));
      case 'requests':
        return this.#write(this.#connection(step.on), step.requests.map((each) => this.#bytesOf(each)).join(''));
      case 'poll':
        for (const on of step.on) this.#write(this.#connection(on), this.#head('GET', 'own'));
        return;
      case 'frame':
        return this.#frame(step);
      case 'compressed':
        return this.#compressed(step.length, step.isBroken);
      case 'upgrade': {
        const connection = await this.#openWebSocket(step.session, step.compresses);
        for (const packet of step.packets) this.#write(connection, frameOf(Buffer.from(packet)));
        // From now on, the client sends as if it were upgraded.
        if (step.packets.includes('5')) this.#webSocket = connection;
        return;
      }
      case 'bytes':
        return this.#write(this.#connection(step.on), step.text);
      case 'stop reading':
        for (const { socket } of this.#all) socket.pause();
        return;
      case 'lose':
        this.#http.get(step.on)?.socket.destroy();
        if (step.on === 0) this.#webSocket?.socket.destroy();
        return;
      case 'wait':
        return this.turn();
    }
  }

  async #handshake(): Promise<void> {
    const connection = this.#connection(0);
    this.#write(connection, this.#head('GET', 'none'));
    await until('the response to a handshake', () => connection.isClosed || connection.received.includes('\r\n\r\n'));
    await this.turn();
    this.#learnSession(connection);
  }

  async #openWebSocket(session: Session, compresses: boolean): Promise<Connection> {
    const connection = this.#createConnection();
    const extension = compresses ? 'Sec-WebSocket-Extensions: permessage-deflate\r\n' : '';
    const key = `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${extension}`;
    const headers = `Connection: Upgrade\r\nUpgrade: websocket\r\n${key}`;
    this.#write(connection, this.#head('GET', session, 'transport=websocket', headers));
    await until('the response to an upgrade', () => connection.isClosed || connection.received.includes('\r\n\r\n'));
    if (session === 'none') {
      await this.turn();
      this.#learnSession(connection);
    }
    return connection;
  }

  #learnSession({ received }: Connection): void {
    // A compressed handshake cannot be read: its session is used by WebSocket only.
    const [, id] = SESSION_ID.exec(received) ?? [];
    this.#sessionId = id;
    if (id !== undefined) this.sessions.push(id);
  }

  async #connect(namespace: string): Promise<void> {
    this.#send([namespace === '/' ? '40' : `40${namespace},`]);
    await this.turn();
    await this.turn();
  }

  #send(packets: string[]): void {
    if (this.#webSocket !== undefined) {
      for (const packet of packets) this.#write(this.#webSocket, frameOf(Buffer.from(packet)));
      return;
    }
    const isOld = this.hostile.protocol === 3;
    const body = isOld ? packets.map((each) => `${each.length}:${each}`).join('') : packets.join(SEPARATOR);
    this.#post(Buffer.from(body));
  }

  #attach(size: number): void {
    const bytes = Buffer.alloc(size, 7);
    const isOld = this.hostile.protocol === 3;
    // Engine.IO 3 has the type of the packet before the bytes.
    const content = isOld ? Buffer.concat([Buffer.from([4]), bytes]) : bytes;
    if (this.#webSocket !== undefined) {
      this.#write(this.#webSocket, frameOf(content, 0x82));
      return;
    }
    const base64 = bytes.toString('base64');
    this.#post(Buffer.from(isOld ? `${base64.length + 2}:b4${base64}` : `b${base64}`));
  }

  #post(body: Buffer): void {
    const headers = `Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ${body.length}\r\n`;
    const head = this.#head('POST', 'own', '', headers);
    this.#write(this.#connection(0), Buffer.concat([Buffer.from(head), body]));
  }

  #frame({ first, isMasked, length, announced }: Extract<Step, { do: 'frame' }>): void {
    const frame = frameOf(Buffer.alloc(length, 'x'), first, isMasked, announced < 0 ? length : announced);
    if (this.#webSocket !== undefined) this.#write(this.#webSocket, frame);
  }

  #compressed(length: number, isBroken: boolean): void {
    if (this.#webSocket === undefined) return;
    const compressed = deflateRawSync(
      Buffer.concat([Buffer.from('42["echo","'), Buffer.alloc(length, 'x'), Buffer.from('"]')]),
    );
    if (isBroken) compressed.fill(0xff, Math.floor(compressed.length / 2));
    this.#write(this.#webSocket, frameOf(compressed, 0xc1));
  }

  #bytesOf({ method, session, query, headers, body, excess, isCut }: Request): string {
    const hasBody = method !== 'GET' && method !== 'HEAD';
    const length = `Content-Length: ${Math.max(0, Buffer.byteLength(body, 'latin1') + excess)}\r\n`;
    const bytes = this.#head(method, session, query, hasBody ? headers + length : headers) + (hasBody ? body : '');
    return isCut ? bytes.slice(0, bytes.length / 2) : bytes;
  }

  #head(method: string, session: Session, query = '', headers = ''): string {
    const parameters = [`EIO=${this.hostile.protocol}`, 'transport=polling', this.hostile.query, query];
    const id = this.#sessionIdOf(session);
    if (id !== undefined) parameters.push(`sid=${id}`);
    // Of two values of a parameter, the last one counts.
    return `${method} ${PATH}?${parameters.filter(Boolean).join('&')} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;
  }

  #sessionIdOf(session: Session): string | undefined {
    if (session === 'none') return undefined;
    if (session === 'own') return this.#sessionId;
    if (session === 'other') return this.sessions.find((id) => id !== this.#sessionId);
    if (session !== 'made up') return session;
    // In a cluster a session id begins with the id of its worker.
    const worker = this.sessions[0]?.slice(0, 8) ?? '';
    return worker + randomBytes(16).toString('base64url').slice(worker.length);
  }

  /** The connection of a number, which is opened when it is first used. */
  #connection(on: number): Connection {
    const existing = this.#http.get(on);
    if (existing !== undefined && !existing.isClosed) return existing;
    const created = this.#createConnection();
    this.#http.set(on, created);
    return created;
  }

  #createConnection(): Connection {
    const connection = { socket: connect(this.port, '127.0.0.1'), received: '', isClosed: false };
    const { socket } = connection;
    socket.on('error', () => {});
    socket.on('close', () => {
      connection.isClosed = true;
    });
    socket.on('data', (chunk) => {
      if (connection.received.length < KEPT) connection.received += chunk.toString('latin1');
      if (chunk.includes('Session ID unknown')) this.#isUnknown = true;
    });
    this.#all.push(connection);
    return connection;
  }

  #write({ socket }: Connection, bytes: Buffer | string): void {
    if (socket.writable) socket.write(bytes, 'latin1');
  }
}

/** Returns a frame of WebSocket's protocol. */
function frameOf(payload: Buffer, first = 0x81, isMasked = true, announced = payload.length): Buffer {
  const bit = isMasked ? 0x80 : 0;
  let head: Buffer;
  if (announced < 126) {
    head = Buffer.from([first, bit | announced]);
  } else if (announced < 65_536) {
    head = Buffer.from([first, bit | 126, 0, 0]);
    head.writeUInt16BE(announced, 2);
  } else {
    head = Buffer.from([first, bit | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeBigUInt64BE(BigInt(announced), 2);
  }
  if (!isMasked) return Buffer.concat([head, payload]);
  return Buffer.concat([head, MASK, payload.map((byte, i) => byte ^ (MASK[i % 4] as number))]);
}
