// A stand-in for the environment of a mini program: no `window`, no `WebSocket`, no `XMLHttpRequest`, no code from strings, and a `wx` whose
// connectSocket is built on ws. As in WeChat, a SocketTask sends strings and ArrayBuffers only, and can be closed only when it is open.
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import vm from 'node:vm';
import type { Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { type ClientOptions, ROOT } from './app';

const RECIPE = path.join(ROOT, 'docs/recipes/mini-program.js');
/** How many connections a mini program may have. */
const MAX_CONNECTIONS = 5;

interface ConnectOptions {
  url: string;
  header?: Record<string, string>;
  protocols?: string[];
  success?: (result: { errMsg: string }) => void;
  fail?: (result: { errMsg: string }) => void;
}

interface SendOptions {
  data: unknown;
  fail?: (result: { errMsg: string }) => void;
}

export interface MiniProgram {
  /** The exports of the recipe. */
  connect: (url: string, options?: ClientOptions) => Socket;
  /** What `wx.connectSocket` has been called with. */
  connections: ConnectOptions[];
  /** Their WebSockets. */
  sockets: WebSocket[];
  /** The hosts that may be connected to. */
  domains: Set<string>;
  /** Returns an ArrayBuffer of the mini program. */
  buffer: (bytes: number[]) => ArrayBuffer;
}

/** Returns the command of docs/en/clients.md that makes socket.io.js. */
export function buildCommand(): string {
  const text = fs.readFileSync(path.join(ROOT, 'docs/en/clients.md'), 'utf8');
  return /^npx (esbuild [^\n]*)/m.exec(text)?.[1] ?? '';
}

/** Runs that command, and returns socket.io.js. */
export async function buildClient(command: string): Promise<string> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-socket.io-mini-'));
  try {
    fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(directory, 'node_modules'), 'junction');
    await promisify(execFile)('sh', ['-c', `node_modules/.bin/${command}`], { cwd: directory });
    return fs.readFileSync(path.join(directory, 'socket.io.js'), 'utf8');
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

/** Starts a mini program that has the recipe and socket.io.js. */
export function startMiniProgram(client: string): MiniProgram {
  const connections: ConnectOptions[] = [];
  const sockets: WebSocket[] = [];
  const domains = new Set(['127.0.0.1']);
  const context = vm.createContext({ console, setTimeout, clearTimeout, setInterval, clearInterval });
  vm.runInContext('Function = () => undefined; globalThis.eval = undefined;', context);
  const buffer = vm.runInContext('(bytes) => new Uint8Array(bytes).buffer', context);
  const isBuffer = vm.runInContext('(data) => data instanceof ArrayBuffer', context);

  const connectSocket = (options: ConnectOptions) => {
    connections.push(options);
    const { url, header, protocols = [], success, fail } = options;
    const isAllowed = domains.has(new URL(url).hostname);
    const isFull = sockets.filter(({ readyState }) => readyState < WebSocket.CLOSING).length >= MAX_CONNECTIONS;
    if (!isAllowed || isFull) {
      const errMsg = `connectSocket:fail ${isFull ? 'too many connections' : 'url not in domain list'}`;
      setImmediate(() => fail?.({ errMsg }));
      const nothing = () => {};
      return { send: nothing, close: nothing, onOpen: nothing, onMessage: nothing, onError: nothing, onClose: nothing };
    }
    const socket = new WebSocket(url, protocols, { headers: header });
    socket.binaryType = 'nodebuffer';
    socket.on('error', () => {});
    sockets.push(socket);
    setImmediate(() => success?.({ errMsg: 'connectSocket:ok' }));
    return {
      send: ({ data, fail }: SendOptions) => {
        if (socket.readyState !== WebSocket.OPEN) return fail?.({ errMsg: 'sendSocketMessage:fail not connected' });
        if (typeof data === 'string') return socket.send(data);
        if (!isBuffer(data)) return fail?.({ errMsg: 'sendSocketMessage:fail data is neither string nor ArrayBuffer' });
        socket.send(new Uint8Array(data as ArrayBuffer));
      },
      close: ({ code = 1000, reason = '' }: { code?: number; reason?: string }) => {
        if (socket.readyState === WebSocket.OPEN) socket.close(code, reason);
      },
      onOpen: (listener: (result: object) => void) => socket.on('open', () => listener({})),
      onMessage: (listener: (result: { data: unknown }) => void) => {
        socket.on('message', (data: Buffer, isBinary) => listener({ data: isBinary ? buffer(data) : String(data) }));
      },
      onError: (listener: (result: { errMsg: string }) => void) => {
        socket.on('error', ({ message }) => listener({ errMsg: message }));
      },
      onClose: (listener: (result: { code: number; reason: string }) => void) => {
        socket.on('close', (code, reason) => listener({ code, reason: String(reason) }));
      },
    };
  };
  context.wx = { connectSocket };

  const load = (source: string, required?: unknown) => {
    const module = { exports: {} as unknown };
    const run = vm.runInContext(`(function (require, module, exports) {${source}\n})`, context);
    run(() => required, module, module.exports);
    return module.exports;
  };
  const connect = load(fs.readFileSync(RECIPE, 'utf8'), load(client)) as MiniProgram['connect'];
  return { connect, connections, sockets, domains, buffer };
}
