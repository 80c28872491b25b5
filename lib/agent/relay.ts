// The commands that the agent sends to a worker, which executes them as if its own code had called the adapter.
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import { Namespace } from 'socket.io';
import type { BroadcastFlags } from 'socket.io-adapter';
import { encodeFrame, FrameReader, FrameType } from '../adapters/frame';
import { isCluster } from '../config/topology';
import { namespacesOf, receiveServerSideEmit } from '../internals/namespaces';
import { publishDelivery } from '../namespaces/broadcasts';

const debug = debuglog('egg-socket.io:agent');

/** The action of the messages. */
export const ACTION = 'egg-socket.io:agent';

/** The action of the message by which a worker announces that it receives no more commands. It contains the id of the worker. */
export const LEAVING = 'egg-socket.io:leaving';

/** The action of the message by which a worker answers `presence`. */
export const ANSWER = 'egg-socket.io:agent-answer';

/** The answer to a command `presence`. */
export interface PresenceAnswer {
  id: number;
  result?: unknown;
  error?: string;
}

/** A call of a method of an adapter, or the question who is present: then the arguments are an id, a topic and `list` or `count`. */
export interface Command {
  nsp: string;
  op: 'broadcast' | 'addSockets' | 'delSockets' | 'disconnectSockets' | 'serverSideEmit' | 'presence';
  opts: { rooms: string[]; except: string[]; flags?: BroadcastFlags };
  args: unknown[];
}

/**
 * Encodes a command as text. Egg's messenger sends JSON, which has no binary data.
 *
 * @throws {TypeError} if JSON cannot express the arguments
 */
export function encodeCommand(command: Command): string {
  return encodeFrame(FrameType.MESSAGE, command).toString('base64');
}

/** @throws {Error} if the text is not a command */
export function decodeCommand(text: string): Command {
  let command: Command | undefined;
  const reader = new FrameReader({
    frame: (_type, body) => {
      command = body as Command;
    },
    failed: (err) => {
      throw err;
    },
  });
  reader.read(Buffer.from(text, 'base64'));
  if (command === undefined) throw new Error('no command');
  return command;
}

/** Executes the commands of the agent in this worker. */
export function listenToAgent(app: Application): void {
  app.messenger.on(ACTION, (text: string) => {
    execute(app, text).catch((err) => app.coreLogger.error(err));
  });
  if (!isCluster(app)) return;
  // After an uncaught exception Egg disconnects the worker from its master, and the agent is not told before the process ends, 30 s later.
  const announce = () => app.messenger.sendToAgent(LEAVING, String(process.pid));
  process.once('uncaughtExceptionMonitor', announce);
  app.beforeClose(async () => {
    process.off('uncaughtExceptionMonitor', announce);
  });
}

async function execute({ io, messenger }: Application, text: string): Promise<void> {
  const { nsp: name, op, args, opts } = decodeCommand(text);
  debug('%s in %s', op, name);
  if (op === 'presence') {
    messenger.sendToAgent(ANSWER, await answerOf(io, name, args));
    return;
  }
  // A child namespace may exist on other workers only. A temporary namespace then publishes to them.
  const existing = namespacesOf(io).get(name) ?? (io.matches(name) ? io.of(name) : undefined);
  const nsp = existing ?? new Namespace(io, name);
  try {
    if (op === 'serverSideEmit') {
      // To this worker as well. Other workers receive it even if a listener here throws.
      const published = nsp.adapter.serverSideEmit(args[0] as unknown[]);
      if (existing) receiveServerSideEmit(existing, args[0] as unknown[]);
      await published;
      return;
    }
    const { rooms, except, flags } = opts;
    const method = nsp.adapter[op] as (...args: unknown[]) => unknown;
    const options = { rooms: new Set(rooms), except: new Set(except), flags: flags ?? {} };
    if (op !== 'broadcast') await method.call(nsp.adapter, options, args[0]);
    else {
      const packet = args[0] as { data: unknown[] };
      await publishDelivery(nsp, packet, options, () => method.call(nsp.adapter, packet, options));
    }
  } finally {
    if (existing === undefined) await nsp.adapter.close();
  }
}

async function answerOf(io: Application['io'], nsp: string, args: unknown[]): Promise<PresenceAnswer> {
  const [id, topic, method] = args as [number, string | undefined, 'list' | 'count'];
  try {
    // JSON has no undefined.
    return { id, result: await io.presences.of(nsp, topic ?? undefined)[method]() };
  } catch (err) {
    return { id, error: (err as Error).message };
  }
}
