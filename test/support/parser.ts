// A parser of Socket.IO packets for server and client.
import { EventEmitter } from 'node:events';

/** Returns a custom parser without validation. */
export function lenientParser(): { Encoder: new () => object; Decoder: new () => object } {
  class Encoder {
    encode(packet: unknown) {
      return [JSON.stringify(packet)];
    }
  }
  class Decoder extends EventEmitter {
    add(chunk: string) {
      this.emit('decoded', JSON.parse(chunk));
    }
    destroy() {}
  }
  return { Encoder, Decoder };
}
