// Clients that lose their connection and come back, for test/redis-streams*.test.ts.
import assert from 'node:assert/strict';
import type { Socket } from 'socket.io-client';
import { connected } from './app';
import { next } from './wait';

/** Cuts the connection as a network does: nobody says goodbye. */
export async function cut(client: Socket): Promise<void> {
  const gone = next(client, 'disconnect');
  client.io.engine.close();
  await gone;
}

/** Connects it again, to whichever server. */
export async function comeBack(client: Socket, url: string): Promise<Socket> {
  (client.io as unknown as { uri: string }).uri = url;
  client.connect();
  return connected(client);
}

/** The numbers that come as the event `n`, from now on. */
export function numbersOf(client: Socket): number[] {
  const numbers: number[] = [];
  client.on('n', (n) => numbers.push(n));
  return numbers;
}

/** Whether these are the numbers from 0 on, each once; in order, unless several workers send them. */
export function assertComplete(numbers: number[], count: number): void {
  assert.deepEqual(
    numbers,
    Array.from({ length: count }, (_, n) => n),
  );
}
