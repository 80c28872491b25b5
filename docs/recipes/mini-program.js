// Socket.IO's client for mini programs: connects by wx.connectSocket. ./socket.io.js is made of socket.io-client 4.8 as docs/clients.md says.
const { io, WebSocket } = require('./socket.io.js');

/** Socket.IO's WebSocket transport, over a SocketTask. */
class MiniProgramTransport extends WebSocket {
  createSocket(url, protocols, { headers }) {
    let isOpen = false;
    let isClosed = false;
    // Socket.IO sets onopen, onmessage, onerror and onclose.
    const socket = {
      send(data) {
        task.send({ data: ArrayBuffer.isView(data) ? bufferOf(data) : data, fail });
      },
      close() {
        isClosed = true;
        // A SocketTask that is not open cannot be closed.
        if (isOpen) task.close({ code: 1000 });
      },
    };
    const fail = ({ errMsg }) => socket.onerror(new Error(errMsg));
    const task = wx.connectSocket({ url, header: headers || {}, fail });
    task.onOpen(() => {
      isOpen = true;
      if (isClosed) task.close({ code: 1000 });
      else socket.onopen();
    });
    task.onMessage(({ data }) => socket.onmessage({ data }));
    task.onError(fail);
    task.onClose(({ code, reason }) => socket.onclose({ code, reason }));
    return socket;
  }
}

// A SocketTask sends strings and ArrayBuffers only.
function bufferOf({ buffer, byteOffset, byteLength }) {
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

// As `io()` of socket.io-client.
module.exports = (url, options) => io(url, { ...options, transports: [ MiniProgramTransport ] });
