// Raw bytes over a connection, for requests that no client library sends.
import { connect } from 'node:net';
import { within } from './wait';

/**
 * Sends bytes, and returns the first answer, or all bytes received until the connection is closed.
 *
 * @param to - a port of this host, or the path of a unix socket
 */
export async function sendRaw(to: number | string, bytes: string): Promise<string> {
  const socket = typeof to === 'number' ? connect(to, '127.0.0.1') : connect(to);
  let read = '';
  const answered = new Promise<string>((resolve, reject) => {
    socket.once('error', (err: NodeJS.ErrnoException) => (err.code === 'ECONNRESET' ? resolve(read) : reject(err)));
    socket.once('close', () => resolve(read));
    socket.on('data', (chunk) => {
      read += chunk.toString('latin1');
      const [head, body] = read.split(/\r\n\r\n(.*)/s) as [string, string | undefined];
      const length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
      if (body !== undefined && !(body.length < length)) resolve(read);
    });
    socket.write(bytes, 'latin1');
  });
  return within(`the answer to ${JSON.stringify(bytes.slice(0, 200))}`, answered).finally(() => socket.destroy());
}
