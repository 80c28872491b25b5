// A client of a test: socket.io-client's own socket, with what tests need. Called by kit.ts.
import assert from 'node:assert';
import type { Application } from 'egg';
import type { Socket } from 'socket.io-client';
import { configOf } from '../config/config';
import { TIMEOUT, within } from './deadline';
import { compare, Inbox, shown } from './inbox';
import { loadClient } from './load';
import { withoutOffset } from './offset';
import type { IoClientOptions, IoTestClient } from './types';

/** A client with what it has received. */
export interface Opened {
  readonly socket: Socket;
  readonly inbox: Inbox;
  /** Fulfilled when it is in; rejected with what the server said. */
  readonly connected: Promise<void>;
}

/** Begins to connect. */
export function open(app: Application, url: string, name: string, options: IoClientOptions): Opened {
  const { Manager } = loadClient(app.baseDir);
  const { session: _made, headers, timeout = TIMEOUT, auth, ...rest } = options;
  const { path, transports, parser } = configOf(app).init;
  const hasWebSocket = transports === undefined || transports.includes('websocket');
  const manager = new Manager(url, {
    ...(path === undefined ? {} : { path }),
    ...(parser === undefined ? {} : { parser }),
    transports: hasWebSocket ? ['websocket'] : (transports as string[]),
    reconnection: false,
    extraHeaders: headers,
    ...rest,
  } as ConstructorParameters<typeof Manager>[1]);
  const socket = manager.socket(name, { ...rest, auth } as never) as Socket;
  const inbox = new Inbox(name);
  socket.onAny((event, ...args) => inbox.add(event, withoutOffset(app.io._nsps.get(name), args)));
  socket.on('connect', () => inbox.resume());
  socket.on('disconnect', (reason) => {
    inbox.add('disconnect', [reason]);
    if (!(manager.reconnection() && socket.active)) inbox.end(reason);
  });
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return { socket, inbox, connected: within(() => `${name} to let the client in or to refuse it`, connected, timeout) };
}

/** What a client has of the test kit. */
interface Equipment {
  /** How long it waits, in ms. */
  timeout: number;
  /** Waits until all that was sent is handled and has arrived, so many ms at most. */
  settle(ms: number): Promise<void>;
  /** What is to be said of an event to which no answer came. */
  hint(event: string): string;
}

/** Gives a connected client its members of the test kit. */
export function equip({ socket, inbox }: Opened, name: string, { timeout, settle, hint }: Equipment): IoTestClient {
  const { emitWithAck } = socket;
  return Object.assign(socket, {
    emitWithAck(event: string, ...args: unknown[]): Promise<unknown> {
      const { flags } = socket as unknown as { flags: { timeout?: number } };
      // Set by `chat.timeout(ms)`, which is a deadline of its own.
      const isTimed = flags.timeout !== undefined;
      const answer = emitWithAck.call(socket, event, ...args);
      if (isTimed) return answer;
      return within(
        () => `the ack of ${shown(event, args)} from ${name}${hint(event)}; ${inbox.summary()}`,
        answer,
        timeout,
      );
    },
    async expect(event: string, ...payload: unknown[]): Promise<unknown[]> {
      const args = await inbox.take(event, timeout);
      await compare(name, event, args, payload);
      return args;
    },
    async expectNothing(event: string): Promise<void> {
      await settle(timeout);
      const untaken = inbox.untaken(event).map((args) => shown(event, args));
      if (untaken.length === 0) return;
      // Without a comparison of true and false.
      throw new assert.AssertionError({
        message: `${name} has sent what was not to come: ${untaken.join(', ')}`,
        actual: untaken,
        expected: [],
        operator: 'expectNothing',
      });
    },
  }) as unknown as IoTestClient;
}

/** Closes a client's connection, and so its sockets in other namespaces. */
export function shut(socket: Socket): void {
  const manager = socket.io;
  manager.reconnection(false);
  socket.disconnect();
  manager.engine?.close();
}
