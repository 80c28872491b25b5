// A client that speaks the protocol itself, Socket.IO 2's (EIO3) or 4's (EIO4): it must cost less than the servers. Used by load.cjs.
const { WebSocket } = require('ws');

const OPTIONS = { perMessageDeflate: false, skipUTF8Validation: true, generateMask: (mask) => mask.fill(7) };

class Client {
  /** Connects, to a namespace where one is given. */
  static open({ port, eio = 4, namespace = '' }) {
    const client = new Client();
    const url = `ws://127.0.0.1:${port}/socket.io/?EIO=${eio}&transport=websocket`;
    const ws = new WebSocket(url, OPTIONS);
    Object.assign(client, { ws, prefix: `42${namespace && `${namespace},`}`, nextId: 0 });
    client.closed = new Promise((resolve) => ws.once('close', resolve));
    return new Promise((resolve, reject) => {
      ws.on('error', reject);
      ws.on('message', (data) => {
        // '43' is an answer, '42' an event, '40' the admission, '0' the handshake.
        const kind = data[0] === 0x34 ? data[1] - 0x30 : -1;
        if (kind === 3) client.onAnswer(client, data);
        else if (kind === 2) client.onEvent();
        else if (kind === 0) resolve(client);
        else if (data[0] !== 0x30) reject(new Error(`unexpected: ${data}`));
        else if (eio === 4) ws.send(`40${namespace && `${namespace},`}`);
      });
    });
  }

  onAnswer() {}
  onEvent() {}

  /** Sends an event that is answered; gives its id. */
  ask(event, json) {
    const id = this.nextId++;
    this.ws.send(`${this.prefix}${id}["${event}",${json}]`);
    return id;
  }

  emit(event, json) {
    this.ws.send(`${this.prefix}["${event}",${json}]`);
  }

  close() {
    this.ws.close();
    return this.closed;
  }
}

/** The id of an answer: `43` or `43/namespace,` and then digits. */
function idOf(data) {
  let at = data[2] === 0x2f ? data.indexOf(0x2c) + 1 : 2;
  let id = 0;
  for (; data[at] >= 0x30 && data[at] <= 0x39; at++) id = id * 10 + data[at] - 0x30;
  return id;
}

module.exports = { Client, idOf };
