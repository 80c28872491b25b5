// Reports the errors of listeners that an application has added by hand, such as `ctx.socket.on('x', listener)`.
import { Ack } from './ack';
import { connectError, type ErrorReporting, encodable, logLastFailure } from './error-response';
import { toError } from './errors';
import type { ListenerErrors } from './internals/listeners';
import { routerOf } from './router';
import { stateOf } from './socket-state';

/** Returns what is done with the errors of the listeners of an application. */
export function listenerErrors(reporting: ErrorReporting): ListenerErrors {
  return {
    ofSocket(socket, event, thrown, packet) {
      // With `config.io.ack: 'auto'`, the error is the answer if no route answers.
      if (packet !== undefined && socket.connected && Ack.in(packet)?.listenerFailed(thrown)) return;
      const counts = stateOf(socket)?.runtime.counts.of(socket);
      if (counts !== undefined) counts.errors++;
      logLastFailure(reporting, { socket, event }, thrown);
    },
    ofNamespace(nsp, event, thrown) {
      const name = routerOf(nsp)?.name ?? nsp.name;
      const where = `event ${String(event)} of ${name}`;
      try {
        reporting.clientLog.error(`listener ${where}`, toError(thrown), where);
      } catch {
        // The log throws: there is nowhere left to report it.
      }
    },
    ofMiddleware(socket, thrown) {
      const counts = stateOf(socket)?.runtime.counts.of(socket);
      if (counts !== undefined) counts.refused++;
      return connectError(reporting, socket, thrown);
    },
    encodable: (socket, err) => encodable(reporting, { socket }, err),
  };
}
