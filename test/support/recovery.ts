// Clients that lose their connection and reconnect, for tests of connectionStateRecovery.
import assert from 'node:assert/strict';
import type { Socket } from 'socket.io-client';
import { connected } from './app';
import { next } from './wait';

/** Closes the connection without a disconnect packet, as a network failure does. */
export async function cut(client: Socket): Promise<void> {
  const gone = next(client, 'disconnect');
  client.io.engine.close();
  await gone;
}

/** Reconnects the client, to any server. */
export async function comeBack(client: Socket, url: string): Promise<Socket> {
  (client.io as unknown as { uri: string }).uri = url;
  client.connect();
  return connected(client);
}

/** Records the numbers of the events `n` from now on. */
export function numbersOf(client: Socket): number[] {
  const numbers: number[] = [];
  client.on('n', (n) => numbers.push(n));
  return numbers;
}

/** Asserts that these are the numbers from 0 to `count` - 1, each once and in order. */
export function assertComplete(numbers: number[], count: number): void {
  assert.deepEqual(
    numbers,
    Array.from({ length: count }, (_, n) => n),
  );
}
