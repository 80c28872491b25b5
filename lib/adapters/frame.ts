// The wire format of the links between workers. A frame is a length, a type, a text, and any number of parts. Each part is a text or
// binary data, after its kind and its length. Lengths are unsigned 32-bit integers in big-endian order.
import type { EncodedPacket } from '../internals/adapters';

export const FrameType = {
  /** The worker at an end of the link: the first frame in each direction. */
  HANDSHAKE: 0,
  /** A message of ClusterAdapter for a namespace. */
  MESSAGE: 1,
  /** The response to a request in a message. */
  RESPONSE: 2,
  /** In place of a response: the worker does not have the namespace. */
  NO_RESPONSE: 3,
  /** A packet for the clients of a namespace, encoded as they receive it. */
  BROADCAST: 4,
} as const;

export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** The sizes of a length, and of the kind and the length of a part, in bytes. */
const LENGTH_SIZE = 4;
const PART_HEADER_SIZE = 5;
/** The length of the frame, its type, and the length of the text. */
const HEADER_SIZE = LENGTH_SIZE + 1 + LENGTH_SIZE;

/** The kinds of parts. */
const TEXT = 0;
const BINARY = 1;

/**
 * In a text, a string that begins with `\0b` stands for an attachment, by its number. A string of the message that begins with `\0` itself
 * is prefixed with `\0s`: no string that a client has sent is mistaken for an attachment.
 */
const ESCAPE = '\0';
const ATTACHMENT = `${ESCAPE}b`;
const STRING = `${ESCAPE}s`;

/**
 * Encodes a frame. Its body arrives at a worker as it would arrive at a client of Socket.IO.
 *
 * @throws {TypeError} if JSON cannot express the body
 */
export function encodeFrame(type: Exclude<FrameType, typeof FrameType.BROADCAST>, body: object): Buffer {
  const attachments: Uint8Array[] = [];
  const text = JSON.stringify(body, function replace(this: Record<string, unknown>, key, value: unknown) {
    if (typeof value === 'string') return value.startsWith(ESCAPE) ? STRING + value : value;
    if (typeof value !== 'object' || value === null) return value;
    // For a Buffer, `value` is what its toJSON() has returned.
    const bytes = toBytes(this[key]) ?? toBytes(value);
    if (bytes === undefined) return value;
    attachments.push(bytes);
    return ATTACHMENT + (attachments.length - 1);
  });
  return pack(type, text, attachments);
}

/**
 * Encodes the frame of a broadcast.
 *
 * @param target - the namespace, the rooms and the flags
 * @param packet - the packet as clients receive it
 */
export function encodeBroadcast(target: object, packet: EncodedPacket): Buffer {
  return pack(FrameType.BROADCAST, JSON.stringify(target), packet.map(toPart));
}

function pack(type: FrameType, text: string, parts: EncodedPacket): Buffer {
  const textLength = Buffer.byteLength(text);
  let length = HEADER_SIZE + textLength;
  for (const part of parts) length += PART_HEADER_SIZE + Buffer.byteLength(part);
  const frame = Buffer.allocUnsafe(length);
  frame.writeUInt32BE(length - LENGTH_SIZE, 0);
  frame[LENGTH_SIZE] = type;
  frame.writeUInt32BE(textLength, LENGTH_SIZE + 1);
  let offset = HEADER_SIZE + frame.write(text, HEADER_SIZE);
  for (const part of parts) {
    const isText = typeof part === 'string';
    const size = isText ? frame.write(part, offset + PART_HEADER_SIZE) : part.byteLength;
    if (!isText) frame.set(part, offset + PART_HEADER_SIZE);
    frame[offset] = isText ? TEXT : BINARY;
    frame.writeUInt32BE(size, offset + 1);
    offset += PART_HEADER_SIZE + size;
  }
  return frame;
}

function toPart(part: string | Uint8Array): string | Uint8Array {
  return typeof part === 'string' ? part : (toBytes(part) ?? part);
}

/** Returns the bytes of a value that Socket.IO sends as binary data. */
function toBytes(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof Blob)
    throw new TypeError(`can't send a ${Object.prototype.toString.call(value)} to other workers: send a Buffer`);
  return undefined;
}

/** Receives the frames that a FrameReader has read. */
interface FrameListener {
  frame(type: FrameType, body: unknown): void;
  broadcast?(target: unknown, packet: EncodedPacket): void;
  /** Called if a frame cannot be decoded, and with what the other methods throw. The reader continues with the next frame. */
  failed(err: Error): void;
}

/** Reads frames from the bytes of one link. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #size = 0;
  /** The size of the frame that is being received, or of its length if that has not arrived. */
  #needed = LENGTH_SIZE;

  constructor(private readonly listener: FrameListener) {}

  /** Reads a chunk of bytes, and passes each frame that is complete to the listener. */
  read(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#needed) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    let offset = 0;
    for (;;) {
      const available = bytes.length - offset;
      this.#needed = available < LENGTH_SIZE ? LENGTH_SIZE : LENGTH_SIZE + bytes.readUInt32BE(offset);
      if (available < this.#needed) break;
      this.#decode(bytes.subarray(offset + LENGTH_SIZE, offset + this.#needed));
      offset += this.#needed;
    }
    this.#size = bytes.length - offset;
    this.#chunks = this.#size > 0 ? [bytes.subarray(offset)] : [];
  }

  /** @param frame - without its length */
  #decode(frame: Buffer): void {
    try {
      const type = frame[0] as FrameType;
      const textStart = HEADER_SIZE - LENGTH_SIZE;
      const textEnd = textStart + frame.readUInt32BE(1);
      const text = frame.toString('utf8', textStart, textEnd);
      const parts = unpackParts(frame, textEnd);
      if (type === FrameType.BROADCAST) this.listener.broadcast?.(JSON.parse(text), parts);
      else this.listener.frame(type, parseBody(text, parts));
    } catch (err) {
      this.listener.failed(err as Error);
    }
  }
}

/** Parses the text of a frame and inserts the attachments. */
function parseBody(text: string, attachments: EncodedPacket): unknown {
  // The escape character, as JSON writes it.
  if (!text.includes('\\u0000')) return JSON.parse(text);
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'string' || !value.startsWith(ESCAPE)) return value;
    if (value.startsWith(ATTACHMENT)) return attachments[Number(value.slice(ATTACHMENT.length))];
    return value.slice(STRING.length);
  });
}

function unpackParts(frame: Buffer, start: number): EncodedPacket {
  const parts: EncodedPacket = [];
  let offset = start;
  while (offset < frame.length) {
    const from = offset + PART_HEADER_SIZE;
    const end = from + frame.readUInt32BE(offset + 1);
    parts.push(frame[offset] === TEXT ? frame.toString('utf8', from, end) : frame.subarray(from, end));
    offset = end;
  }
  return parts;
}
