// Packets that are written once, whoever gets them: the clients of this worker, and those of the others. Called by adapter.ts.
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { PacketType } from 'socket.io-parser';
import type { Encoded } from './frame';

export type Packet = Parameters<Adapter['broadcast']>[0];

/** Socket.IO's parser, or the application's. */
export interface Encoder {
  encode(packet: Packet): Encoded;
}

/** A parser that does not write again what is written already. */
export class Parser implements Encoder {
  /** What the next packet looks like. */
  written: Encoded | undefined;

  constructor(private readonly parser: Encoder) {}

  encode(packet: Packet): Encoded {
    const { written } = this;
    if (written === undefined) return this.parser.encode(packet);
    this.written = undefined;
    return written;
  }
}

/** A packet of another worker, which is read only where somebody listens to what is sent (`socket.onAnyOutgoing`). */
export class Received {
  readonly type = PacketType.EVENT;
  readonly nsp: string;
  #data: unknown;

  constructor(
    private readonly of: Namespace,
    private readonly written: Encoded,
  ) {
    this.nsp = of.name;
  }

  get data(): unknown {
    this.#data ??= read(this.of, this.written);
    return this.#data;
  }
}

function read(nsp: Namespace, written: Encoded): unknown {
  const { Decoder } = (nsp.server as unknown as { _parser: typeof import('socket.io-parser') })._parser;
  const decoder = new Decoder({ maxAttachments: Number.POSITIVE_INFINITY });
  let data: unknown;
  decoder.on('decoded', (packet) => {
    data = packet.data;
  });
  for (const part of written) decoder.add(part);
  return data;
}
