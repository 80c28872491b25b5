// What agent.io asks a worker for, as text: Egg's messenger carries JSON, which knows no binary data. Called by io.ts in the
// agent and by relay.ts in a worker.
import type { BroadcastFlags } from 'socket.io-adapter';
import { encodeFrame, FrameReader, FrameType } from '../cluster/frame';

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
