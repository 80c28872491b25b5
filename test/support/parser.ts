// A parser of Socket.IO's packets for server and client.
import { EventEmitter } from 'node:events';

/** A parser that checks nothing, as Socket.IO lets applications bring one. */
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
