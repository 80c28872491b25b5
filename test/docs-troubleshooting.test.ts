// docs/en/troubleshooting.md: the messages that are its headings are those of the plugin and of the libraries.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { EGG_MAJOR, ROOT } from './support/app';
import { page } from './support/pages';

/** Where the messages of the plugin and of Socket.IO are. */
const SOURCES = [
  'lib',
  ...['socket.io/dist', 'engine.io/build', 'socket.io-adapter/dist'].map((name) => `node_modules/${name}`),
  ...['socket.io-client', 'engine.io-client', 'socket.io-parser'].map((name) => `node_modules/${name}/build/cjs`),
];

/** Messages that have another source. */
const OTHERS: Record<string, string> = {
  'blocked by CORS policy': 'browsers',
  'WebSocket is closed before the connection is established': 'Chrome',
  'io is not defined': 'JavaScript',
  'ctx.emit is not a function': 'JavaScript',
  "Cannot read properties of undefined (reading 'say')": 'JavaScript',
  "Cannot read properties of undefined (reading 'of')": 'JavaScript',
  "Cannot read properties of undefined (reading 'emit')": 'JavaScript',
  "can't overwrite property … from … by …": 'Egg',
  EADDRINUSE: 'Node',
  "Property 'io' does not exist on type 'Application'": 'TypeScript',
  "'ctx.args' is of type 'unknown'": 'TypeScript',
  ERESOLVE: 'npm',
};

function readAll(directory: string): string {
  const names = fs.readdirSync(path.join(ROOT, directory), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => /\.(ts|js)$/.test(name) && !name.endsWith('.d.ts'))
    .map((name) => fs.readFileSync(path.join(ROOT, directory, name), 'utf8'))
    .join('\n');
}

if (EGG_MAJOR === 3) {
  describe('docs/en/troubleshooting.md', () => {
    const { text } = page('docs/en/troubleshooting.md', 'troubleshooting');
    const messages = Array.from(text.matchAll(/^### `([^`]+)`$/gm), ([, message]) => message as string);

    it('should have the messages of the plugin and of Socket.IO as headings', () => {
      const sources = SOURCES.map(readAll).join('\n');
      assert(messages.length > 60, `${messages.length} messages`);
      for (const message of messages.filter((each) => !OTHERS[each])) {
        // What is between the values.
        const parts = message.split('…').map((part) => part.replace('[egg-socket.io] ', '').replace('config.io.', ''));
        for (const part of parts) assert(sources.includes(part.trim()), `${message}: there is no "${part}"`);
      }
    });

    it('should need all exceptions', () => {
      assert.deepEqual(
        Object.keys(OTHERS).filter((each) => !messages.includes(each)),
        [],
      );
    });

    it('should have each message once', () => {
      assert.equal(new Set(messages).size, messages.length);
    });
  });
}
