// Socket.IO's parser with an encoder that throws what clients could not decode: they would close the connection with the reason `parse error`.
import { types } from 'node:util';
import * as parser from 'socket.io-parser';
import type { EncodedPacket } from './adapters';

/** An encoder that throws a TypeError if a packet cannot be sent, to the code that emits it or answers with it. */
class StrictEncoder extends parser.Encoder {
  override encode(packet: Parameters<parser.Encoder['encode']>[0]): ReturnType<parser.Encoder['encode']> {
    if (packet.type === parser.PacketType.EVENT) assertEvent(packet.data[0]);
    const encoded = super.encode(packet) as EncodedPacket;
    if (encoded.length > 1) assertAttachments(encoded);
    return encoded as ReturnType<parser.Encoder['encode']>;
  }
}

/**
 * Checks the name of an event. Clients accept a text or a number.
 *
 * @throws {TypeError} if it is encoded as another value
 */
function assertEvent(event: unknown): void {
  if (typeof event === 'string') return;
  // Some values are encoded as a text, such as a Date.
  const sent: unknown = typeof event === 'object' ? JSON.parse(JSON.stringify([event]))[0] : event;
  if (typeof sent === 'string' || Number.isFinite(sent)) return;
  throw new TypeError(`the name of an event must be a string, not ${event === null ? 'null' : typeof event}`);
}

/**
 * Checks a broadcast before it is sent to other workers, whose encoders would throw.
 *
 * @param encoder - that of this worker. Nothing is checked with a parser of the application
 * @param packet - without values that JSON cannot express
 * @throws {TypeError} if clients could not decode it
 */
export function assertDecodable(encoder: unknown, { data }: { data?: unknown[] }): void {
  if (!(encoder instanceof StrictEncoder) || data === undefined) return;
  assertEvent(data[0]);
}

function assertAttachments(encoded: EncodedPacket): void {
  for (let i = 1; i < encoded.length; i++) {
    const attachment: unknown = encoded[i];
    if (ArrayBuffer.isView(attachment) || types.isAnyArrayBuffer(attachment)) continue;
    throw new TypeError('a Blob cannot be sent: send a Buffer, such as Buffer.from(await blob.arrayBuffer())');
  }
}

/** A decoder that names an empty message of Engine.IO as such. Socket.IO's throws a TypeError, which reads like a fault of the server. */
class StrictDecoder extends parser.Decoder {
  override add(data: unknown): void {
    if (data === undefined) throw new Error('empty packet');
    super.add(data);
  }
}

/** The option `parser` of Socket.IO's server. */
export const strictParser = { ...parser, Encoder: StrictEncoder, Decoder: StrictDecoder };
