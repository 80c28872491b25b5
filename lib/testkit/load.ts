// socket.io-client as the application has it installed: only its tests need it. Called by client.ts.
import { createRequire } from 'node:module';
import path from 'node:path';

type Module = typeof import('socket.io-client');

/**
 * Loads socket.io-client.
 *
 * @param baseDir - the application's directory; where it has none, the one beside this plugin is taken
 * @throws where there is none, or it is too old
 */
export function loadClient(baseDir: string): Module {
  const client = find([path.join(baseDir, 'package.json'), __filename]);
  if (client === undefined || !('emitWithAck' in client.Socket.prototype)) {
    const problem = client === undefined ? 'is not installed' : 'is too old';
    throw new Error(
      `[egg-socket.io] app.ioClient() needs socket.io-client 4.6 or later, which ${problem} in ${baseDir}: npm install --save-dev socket.io-client`,
    );
  }
  return client;
}

function find(files: string[]): Module | undefined {
  for (const file of files) {
    try {
      return createRequire(file)('socket.io-client') as Module;
    } catch (err) {
      const { code, message } = err as NodeJS.ErrnoException;
      if (code !== 'MODULE_NOT_FOUND' || !message.includes('socket.io-client')) throw err;
    }
  }
  return undefined;
}
