// Runs the code of docs/en/presence.md: the application, and the page as a client.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { Socket } from 'socket.io-client';
import { Presence } from '../lib/presence/client';
import { EGG_MAJOR, FRAMEWORK, ROOT, type Running, start, track } from './support/app';
import { until } from './support/wait';

const text = fs.readFileSync(path.join(ROOT, 'docs/en/presence.md'), 'utf8');
const baseDir = path.join(ROOT, `test/.tmp/presence-${EGG_MAJOR}`);

function write(file: string, content: string): void {
  const full = path.join(baseDir, file);
  fs.mkdirSync(path.dirname(full), { recursive: true });
  fs.writeFileSync(full, content);
}

describe('docs/en/presence.md', () => {
  let running: Running;

  before(async () => {
    fs.rmSync(baseDir, { recursive: true, force: true });
    const files = [...text.matchAll(/`([\w./]+\.ts)`[^`]*:\n\n```ts\n(.*?)^```/gms)];
    assert.equal(files.length, 5);
    for (const [, file, code] of files) write(file as string, code as string);
    write('package.json', JSON.stringify({ name: 'presence-docs', egg: { typescript: true } }));
    fs.mkdirSync(path.join(baseDir, 'node_modules'));
    fs.symlinkSync(FRAMEWORK, path.join(baseDir, 'node_modules/egg'));
    fs.symlinkSync(ROOT, path.join(baseDir, 'node_modules/egg-socket.io'));
    running = await start('presence-docs', { baseDir });
  });

  after(() => {
    fs.rmSync(baseDir, { recursive: true, force: true });
  });

  /** Runs the code of the page. Returns its socket, and what it shows and prints. */
  function openPage(name: string): { socket: Socket; shown: () => object; lines: string[] } {
    const code = /```js\n(.*?)```/s
      .exec(text)?.[1]
      ?.replace(/^import .*$/gm, '')
      .replace("'ann'", `'${name}'`);
    const lines: string[] = [];
    let list = {};
    const io = (nsp: string, options: object) => track(running.url + nsp, options);
    const show = (value: object) => {
      list = value;
    };
    const page = new Function('io', 'Presence', 'show', 'console', `${code}; return socket;`);
    const socket: Socket = page(io, Presence, show, { log: (line: string) => lines.push(line) });
    return { socket, shown: () => list, lines };
  }

  it('should show who is there, and answer over HTTP', async () => {
    const ann = openPage('ann');
    await until('ann is shown', () => ann.lines.includes('ann is here'));
    const bob = openPage('bob');
    await until('bob is shown', () => ann.lines.includes('bob is here'));
    bob.socket.emit('mood', 'busy');
    const expected = { ann: [{ mood: 'fine' }], bob: [{ mood: 'busy' }] };
    for (const page of [ann, bob])
      await until('the mood is shown', () => {
        const { ann: one, bob: other } = page.shown() as typeof expected;
        return one?.[0]?.mood === 'fine' && other?.[0]?.mood === 'busy';
      });
    const response = await fetch(`${running.url}/who`);
    assert.deepEqual(await response.json(), { count: 2, list: expected });
    bob.socket.disconnect();
    await until('bob has left', () => ann.lines.at(-1) === 'bob has left' && !('bob' in ann.shown()));
  });
});
