// Runs the code of the section "Authentication that ends" of docs/en/users.md: the application, and the page as a client.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Socket } from 'socket.io-client';
import { Expiry } from '../lib/expiry';
import { EGG_MAJOR, FRAMEWORK, logs, ROOT, type Running, start, track } from './support/app';
import { next, until } from './support/wait';

const text = fs.readFileSync(path.join(ROOT, 'docs/en/users.md'), 'utf8');
const section = /^## Authentication that ends\n(.*?)^## /ms.exec(text)?.[1] ?? '';

/** The function of jsonwebtoken that the example calls. */
const JSONWEBTOKEN = `
const { createHmac } = require('node:crypto');
exports.verify = (token, secret, { algorithms }) => {
  const [head, body, signature] = token.split('.');
  const decode = (part) => JSON.parse(Buffer.from(part, 'base64url'));
  if (!algorithms.includes(decode(head).alg)) throw new Error('invalid algorithm');
  if (createHmac('sha256', secret).update(head + '.' + body).digest('base64url') !== signature) throw new Error('invalid signature');
  const claims = decode(body);
  if (claims.exp * 1000 <= Date.now()) throw new Error('jwt expired');
  return claims;
};
`;

/** Returns a JWT that is valid for at least so many seconds. */
function sign(sub: string, seconds: number, secret = 'change-me-too'): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const text = `${encode({ alg: 'HS256' })}.${encode({ sub, exp: Math.ceil(Date.now() / 1000) + seconds })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

describe('docs/en/users.md: authentication that ends', () => {
  const { resolution } = Expiry;
  const baseDir = path.join(ROOT, `test/.tmp/renewal-${EGG_MAJOR}`);
  let running: Running;

  function write(file: string, content: string): void {
    const full = path.join(baseDir, file);
    fs.mkdirSync(path.dirname(full), { recursive: true });
    fs.writeFileSync(full, content);
  }

  before(async () => {
    Expiry.resolution = 10;
    fs.rmSync(baseDir, { recursive: true, force: true });
    const files = [...section.matchAll(/`([\w./]+\.ts)`\n\n```ts\n(.*?)^```/gms)];
    assert.equal(files.length, 4);
    for (const [, file, code] of files) write(file as string, code as string);
    write('package.json', JSON.stringify({ name: 'renewal', egg: { typescript: true } }));
    write('config/plugin.js', "exports.io = { enable: true, package: 'egg-socket.io' };\n");
    write('node_modules/jsonwebtoken/index.js', JSONWEBTOKEN);
    fs.symlinkSync(FRAMEWORK, path.join(baseDir, 'node_modules/egg'));
    fs.symlinkSync(ROOT, path.join(baseDir, 'node_modules/egg-socket.io'));
    running = await start('renewal', { baseDir });
  });

  after(() => {
    Expiry.resolution = resolution;
    fs.rmSync(baseDir, { recursive: true, force: true });
  });

  /** Runs the code of the page, to which these tokens are issued one after the other. */
  function openPage(tokens: string[]): { socket: Socket; logins: () => number } {
    const code = /```js\n(const socket.*?)```/s.exec(section)?.[1];
    let logins = 0;
    const io = (options: object) => track(running.url, options);
    const fetchToken = async () => tokens.shift();
    const showLogin = () => logins++;
    const page = new Function('io', 'fetchToken', 'showLogin', `${code}; return socket;`);
    return { socket: page(io, fetchToken, showLogin), logins: () => logins };
  }

  it('should renew the token of a client', async () => {
    const { socket, logins } = openPage([sign('ann', 1), sign('bob', 3_600)]);
    await next(socket, 'expired');
    const { app } = running;
    await until('the client has its new user', async () => (await app.io.user('bob').fetchSockets()).length === 1);
    assert.equal((await app.io.user('ann').fetchSockets()).length, 0);
    assert(socket.connected);
    assert.equal(logins(), 0);
  });

  it('should show the login if the new token is forged', async () => {
    logs(running.app);
    const { socket, logins } = openPage([sign('ann', 1), sign('bob', 3_600, 'guessed')]);
    await next(socket, 'expired');
    await until('the login is shown', () => logins() === 1);
    assert.equal((await running.app.io.user('ann').fetchSockets()).length, 1);
  });
});
