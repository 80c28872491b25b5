// A client that speaks the protocol of Socket.IO 2 (EIO3) or 4 (EIO4) over `ws`. It must cost less than the servers.
const { WebSocket } = require('ws');

const OPTIONS = { perMessageDeflate: false, skipUTF8Validation: true, generateMask: (mask) => mask.fill(7) };

class Client {
  /** Connects to the namespace `/`. Resolves once the client is admitted. */
  static open({ port, eio = 4, cookie }) {
    const client = new Client();
    const url = `ws://127.0.0.1:${port}/socket.io/?EIO=${eio}&transport=websocket`;
    const ws = new WebSocket(url, cookie ? { ...OPTIONS, headers: { cookie } } : OPTIONS);
    Object.assign(client, { ws, nextId: 0 });
    client.closed = new Promise((resolve) => ws.once('close', resolve));
    return new Promise((resolve, reject) => {
      ws.on('error', reject);
      ws.on('message', (data) => {
        // '43' is an acknowledgement, '42' an event, '40' the admission, '0' the handshake of Engine.IO.
        const type = data[0] === 0x34 ? data[1] - 0x30 : -1;
        if (type === 3) client.onAck(client, data);
        else if (type === 2) client.onEvent();
        else if (type === 0) resolve(client);
        else if (data[0] !== 0x30) reject(new Error(`unexpected message: ${data}`));
        else if (eio === 4) ws.send('40');
      });
    });
  }

  onAck() {}
  onEvent() {}

  /** Sends an event that requests an acknowledgement. Returns its id. */
  emitWithAck(event, json) {
    const id = this.nextId++;
    this.ws.send(`42${id}["${event}",${json}]`);
    return id;
  }

  emit(event, json) {
    this.ws.send(`42["${event}",${json}]`);
  }

  close() {
    this.ws.close();
    return this.closed;
  }
}

/** Returns the id of an acknowledgement, the digits after `43`. */
function idOf(data) {
  let id = 0;
  for (let at = 2; data[at] >= 0x30 && data[at] <= 0x39; at++) id = id * 10 + data[at] - 0x30;
  return id;
}

module.exports = { Client, idOf };
