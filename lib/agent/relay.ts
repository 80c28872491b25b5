// Does in a worker what agent.io asks for. Called by app.ts.
import type { Application } from 'egg';
import { Namespace } from 'socket.io';
import type { BroadcastFlags } from 'socket.io-adapter';
import { encodeFrame, FrameReader, FrameType } from '../adapters/frame';

/** Listens to the agent. */
export function listenToAgent(app: Application): void {
  app.messenger.on(ACTION, (text: string) => {
    run(app, text).catch((err) => app.coreLogger.error(err));
  });
}

async function run({ io }: Application, text: string): Promise<void> {
  const { nsp: name, op, args, opts } = decodeCommand(text);
  // A child namespace may be on other workers only: then the emitting is all that this one has of it.
  // One with parameters goes by itself when nobody needs it.
  const known = io._nsps.get(name) ?? (io.matches(name) ? io.of(name) : undefined);
  const nsp = known ?? new Namespace(io, name);
  try {
    if (op === 'serverSideEmit') {
      // To all workers, this one among them; the others hear of it whatever a listener here does.
      const told = nsp.adapter.serverSideEmit(args[0] as unknown[]);
      if (known) known._onServerSideEmit(args[0] as never);
      await told;
      return;
    }
    const { rooms, except, flags } = opts;
    const method = nsp.adapter[op] as (...args: unknown[]) => unknown;
    const options = { rooms: new Set(rooms), except: new Set(except), flags: flags ?? {} };
    await method.apply(nsp.adapter, op === 'broadcast' ? [args[0], options] : [options, args[0]]);
  } finally {
    if (known === undefined) await nsp.adapter.close();
  }
}

// What agent.io asks a worker for, as text: Egg's messenger carries JSON, which knows no binary data. Called by io.ts in the
// agent and by relay.ts in a worker.

/** The name of the messages. */
export const ACTION = 'egg-socket.io:agent';

/** A method of an adapter with its arguments. */
export interface Command {
  nsp: string;
  op: 'broadcast' | 'addSockets' | 'delSockets' | 'disconnectSockets' | 'serverSideEmit';
  opts: { rooms: string[]; except: string[]; flags?: BroadcastFlags };
  args: unknown[];
}

/** @throws {TypeError} for what JSON can't express */
export function encodeCommand(command: Command): string {
  return encodeFrame(FrameType.MESSAGE, command).toString('base64');
}

/** @throws where it is no command */
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
