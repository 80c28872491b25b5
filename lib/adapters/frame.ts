// What goes over a link: frames of one message each. A frame is its length, its type, a text, and parts that are text or
// binary, each with its length. Called by link.ts, membership.ts and exchange.ts.

/** What a frame is about. */
export const FrameType = {
  /** Who is at the other end: the first frame, each way. */
  HELLO: 0,
  /** For the adapter of a namespace. */
  MESSAGE: 1,
  /** The answer to a request of such a message. */
  RESPONSE: 2,
  /** Instead of an answer: there is no such namespace here. */
  ABSENT: 3,
  /** For the clients of a namespace: the packet is written already as they get it. */
  BROADCAST: 4,
} as const;

export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** A packet as Socket.IO's parser has written it. */
export type Encoded = Array<string | Uint8Array>;

/** The size of a length, and of what comes before a part: its kind and its length. */
const LENGTH = 4;
const PART = 5;
/** The length of the frame, its type, the length of the text. */
const HEAD = LENGTH + 1 + LENGTH;
const TEXT = 0;
const BINARY = 1;

/**
 * What a string begins with that isn't itself: the place of an attachment, by its number, or a string that begins so. Nothing
 * that a client has put into what is sent is taken for the place of an attachment.
 */
const MARK = '\0';
const ATTACHED = `${MARK}b`;
const STRING = `${MARK}s`;

/**
 * Writes a frame: what arrives at another worker is what would arrive at a client.
 *
 * @throws {TypeError} for what JSON can't express
 */
export function encodeFrame(type: Exclude<FrameType, 4>, body: object): Buffer {
  const attachments: Uint8Array[] = [];
  const text = JSON.stringify(body, function replace(this: Record<string, unknown>, key, value: unknown) {
    if (typeof value === 'string') return value.startsWith(MARK) ? STRING + value : value;
    if (typeof value !== 'object' || value === null) return value;
    // A Buffer has a toJSON of its own, which has been called.
    const bytes = toBytes(this[key]) ?? toBytes(value);
    if (bytes === undefined) return value;
    attachments.push(bytes);
    return ATTACHED + (attachments.length - 1);
  });
  return pack(type, text, attachments);
}

/**
 * Writes the frame of a broadcast.
 *
 * @param target - whom it is for
 * @param packet - for clients
 */
export function encodeBroadcast(target: object, packet: Encoded): Buffer {
  return pack(FrameType.BROADCAST, JSON.stringify(target), packet.map(toPart));
}

function pack(type: FrameType, text: string, parts: Encoded): Buffer {
  const textLength = Buffer.byteLength(text);
  let length = HEAD + textLength;
  for (const part of parts) length += PART + Buffer.byteLength(part);
  const frame = Buffer.allocUnsafe(length);
  frame.writeUInt32BE(length - LENGTH, 0);
  frame[LENGTH] = type;
  frame.writeUInt32BE(textLength, LENGTH + 1);
  let at = HEAD + frame.write(text, HEAD);
  for (const part of parts) {
    const isText = typeof part === 'string';
    const size = isText ? frame.write(part, at + PART) : part.byteLength;
    if (!isText) frame.set(part, at + PART);
    frame[at] = isText ? TEXT : BINARY;
    frame.writeUInt32BE(size, at + 1);
    at += PART + size;
  }
  return frame;
}

function toPart(part: string | Uint8Array): string | Uint8Array {
  return typeof part === 'string' ? part : (toBytes(part) ?? part);
}

/** The bytes of what Socket.IO takes for binary data: a view of some, or a buffer of them. */
function toBytes(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof Blob)
    throw new TypeError(`can't send a ${Object.prototype.toString.call(value)} to other workers: send a Buffer`);
  return undefined;
}

/** What a reader does with frames. What it throws goes to `failed`, and the next frames are read all the same. */
export interface FrameListener {
  frame(type: FrameType, body: unknown): void;
  broadcast?(target: unknown, packet: Encoded): void;
  failed(err: Error): void;
}

/** Puts the bytes of one link together to frames. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #size = 0;
  /** How many bytes there must be before there is anything to read. */
  #wanted = LENGTH;

  constructor(private readonly listener: FrameListener) {}

  /** Takes what has arrived. */
  read(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#wanted) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    let at = 0;
    for (;;) {
      const left = bytes.length - at;
      this.#wanted = left < LENGTH ? LENGTH : LENGTH + bytes.readUInt32BE(at);
      if (left < this.#wanted) break;
      this.#decode(bytes.subarray(at + LENGTH, at + this.#wanted));
      at += this.#wanted;
    }
    this.#size = bytes.length - at;
    this.#chunks = this.#size > 0 ? [bytes.subarray(at)] : [];
  }

  #decode(frame: Buffer): void {
    try {
      const type = frame[0] as FrameType;
      const parts = HEAD - LENGTH + frame.readUInt32BE(1);
      const text = frame.toString('utf8', HEAD - LENGTH, parts);
      if (type === FrameType.BROADCAST) this.listener.broadcast?.(JSON.parse(text), partsOf(frame, parts));
      else this.listener.frame(type, attach(text, partsOf(frame, parts)));
    } catch (err) {
      this.listener.failed(err as Error);
    }
  }
}

/** Reads a text, with the attachments in their places. */
function attach(text: string, attachments: Encoded): unknown {
  if (!text.includes('\\u0000')) return JSON.parse(text);
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'string' || !value.startsWith(MARK)) return value;
    return value.startsWith(ATTACHED) ? attachments[Number(value.slice(ATTACHED.length))] : value.slice(STRING.length);
  });
}

function partsOf(frame: Buffer, start: number): Encoded {
  const parts: Encoded = [];
  let at = start;
  while (at < frame.length) {
    const from = at + PART;
    const end = from + frame.readUInt32BE(at + 1);
    parts.push(frame[at] === TEXT ? frame.toString('utf8', from, end) : frame.subarray(from, end));
    at = end;
  }
  return parts;
}
