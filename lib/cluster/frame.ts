// What goes over a link: frames of one message each, written as Socket.IO writes its packets, so that what arrives at another
// worker's client is what arrives at one's own. Called by link.ts and membership.ts.
import { Decoder, Encoder, PacketType } from 'socket.io-parser';

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
} as const;

export type FrameType = (typeof FrameType)[keyof typeof FrameType];

const encoder = new Encoder();
/** The size of a length. */
const LENGTH = 4;

/**
 * Writes a frame: its length, then the length and the bytes of the text and of each binary attachment.
 *
 * @throws {TypeError} for what JSON can't express
 */
export function encodeFrame(type: FrameType, body: unknown): Buffer {
  const [text, ...attachments] = encoder.encode({ type: PacketType.EVENT, nsp: '/', data: [type, body] }) as [
    string,
    ...Array<ArrayBufferView | ArrayBuffer>,
  ];
  const textLength = Buffer.byteLength(text);
  const binaries = attachments.map(toBuffer);
  const length = binaries.reduce((sum, each) => sum + LENGTH + each.length, LENGTH + textLength);
  const frame = Buffer.allocUnsafe(LENGTH + length);
  let at = frame.writeUInt32BE(length, 0);
  at = frame.writeUInt32BE(textLength, at);
  at += frame.write(text, at);
  for (const binary of binaries) {
    at = frame.writeUInt32BE(binary.length, at);
    at += binary.copy(frame, at);
  }
  return frame;
}

function toBuffer(attachment: ArrayBufferView | ArrayBuffer): Buffer {
  if (Buffer.isBuffer(attachment)) return attachment;
  if (ArrayBuffer.isView(attachment)) {
    return Buffer.from(attachment.buffer as ArrayBuffer, attachment.byteOffset, attachment.byteLength);
  }
  if (attachment instanceof ArrayBuffer) return Buffer.from(attachment);
  throw new TypeError(`can't send a ${Object.prototype.toString.call(attachment)} to other workers: send a Buffer`);
}

/** Puts the bytes of one link together to frames. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #size = 0;
  readonly #decoder = new Decoder({ maxAttachments: Number.POSITIVE_INFINITY });

  /**
   * @param onFrame - gets each frame; what it throws goes to `onError`
   * @param onError - of a frame that can't be read or processed: the next ones are read all the same
   */
  constructor(
    onFrame: (type: FrameType, body: unknown) => void,
    private readonly onError: (err: Error) => void,
  ) {
    this.#decoder.on('decoded', ({ data }: { data?: [FrameType, unknown] }) => data && onFrame(data[0], data[1]));
  }

  /** Takes what has arrived. */
  read(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    for (;;) {
      if (this.#size < LENGTH) return;
      if ((this.#chunks[0] as Buffer).length < LENGTH) this.#chunks = [Buffer.concat(this.#chunks)];
      const end = LENGTH + (this.#chunks[0] as Buffer).readUInt32BE(0);
      if (this.#size < end) return;
      const [bytes] = (this.#chunks.length === 1 ? this.#chunks : [Buffer.concat(this.#chunks)]) as [Buffer];
      this.#size -= end;
      this.#chunks = this.#size > 0 ? [bytes.subarray(end)] : [];
      this.#decode(bytes.subarray(LENGTH, end));
    }
  }

  #decode(frame: Buffer): void {
    try {
      const length = frame.readUInt32BE(0);
      let at = LENGTH + length;
      this.#decoder.add(frame.toString('utf8', LENGTH, at));
      while (at < frame.length) {
        const start = at + LENGTH;
        at = start + frame.readUInt32BE(at);
        this.#decoder.add(frame.subarray(start, at));
      }
    } catch (err) {
      // What was read of the frame is forgotten with it.
      this.#decoder.destroy();
      this.onError(err as Error);
    }
  }
}
