// How many namespaces one connection may be connected to: `config.io.limits.namespaces`.
import type { Namespace } from 'socket.io';
import { LimitError } from '../errors';
import { type Client, namespaceLimiter, sendConnectError } from '../internals/client';
import { addWith, onAdd } from '../internals/namespaces';
import type { LimitReport } from './report';

/**
 * Returns a function that limits the clients of a namespace. It must be called once for each namespace that was just created.
 *
 * @param max - how many namespaces a client may be connected to, or connecting to
 */
export function namespacesLimit(max: number, report: LimitReport): (nsp: Namespace) => void {
  const limit = namespaceLimiter(max, (client: Client, name: string) => {
    report.limited('namespaces', client.request, `${max} namespaces of one connection`);
    const { message, code, data } = new LimitError('too many namespaces', 'TOO_MANY_NAMESPACES', { limit: max });
    sendConnectError(client, name, message, { code, ...data });
  });
  const add = addWith(limit);
  return (nsp) => onAdd(nsp, add);
}
