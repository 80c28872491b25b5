// Why a server has not let a client in: as an error, and as what a test expects. Called by kit.ts.
import assert from 'node:assert';
import type { IoRefusal } from './types';

/** What `app.ioClient.expectRefused()` takes. */
export type Reason = RegExp | string | ((refusal: IoRefusal) => unknown);

/**
 * The error of a client that was to get in.
 *
 * @param names - the namespaces that there are
 */
export function refusalOf(name: string, thrown: IoRefusal, names: string[] = []): IoRefusal {
  const { message, data, description } = thrown as typeof thrown & { description?: { message?: string } };
  const known = message === 'Invalid namespace' && names.length > 0 ? ` (there are: ${names.join(', ')})` : '';
  const more = description?.message ? ` (${description.message})` : known;
  const refusal: IoRefusal = new Error(`[egg-socket.io] ${name} has refused the client: ${message}${more}`, {
    cause: thrown,
  });
  if (data !== undefined) refusal.data = data;
  return refusal;
}

/** @throws {AssertionError} where it was refused for another reason */
export async function checkRefusal(name: string, refusal: IoRefusal, reason?: Reason): Promise<void> {
  if (reason === undefined) {
    // It never got as far as the application.
    const { type } = refusal as { type?: string };
    if (type === 'TransportError') throw refusalOf(name, refusal);
    return;
  }
  const said = `${name} has refused the client for another reason: ${refusal.message}`;
  if (typeof reason === 'function') assert(await reason(refusal), said);
  else if (typeof reason === 'string') assert.strictEqual(refusal.message, reason, said);
  else assert.match(refusal.message, reason, said);
}
