// A packet on its way through its onion, and its end: the session is saved, the client answered, a failure told. Called by packet.ts.
import type { Context } from 'egg';
import type { Ack } from '../ack';
import { isPromise } from '../errors';
import { ackFailed, logFailure, logLast, packetFailed } from '../failures';
import type { SocketScope } from '../scope';
import { keepCookies } from '../session';
import type { ConnectionWork } from '../work';

/** Where a context has its packet's run. */
export const RUN = Symbol('egg-socket.io:run');

/** A packet on its way through its onion. */
export interface PacketRun {
  readonly scope: SocketScope;
  readonly ctx: Context;
  readonly work: ConnectionWork;
  /** Undefined where the client asked for none, or has Socket.IO's own. */
  ack: Ack | undefined;
}

/** What a chain has thrown, whatever that is. */
export interface Failure {
  readonly thrown: unknown;
}

export interface PacketContext extends Context {
  [RUN]?: PacketRun;
}

/** The chain has ended: saves a session that somebody has asked for. */
export function save(run: PacketRun, failure?: Failure): void {
  const { session } = run.scope.nsp;
  let saving: unknown;
  try {
    saving = session.isStored() ? undefined : session.save(run.ctx);
  } catch (thrown) {
    end(run, { thrown });
    return;
  }
  if (isPromise(saving)) {
    saving.then(
      () => end(run, failure),
      (thrown) => end(run, { thrown }),
    );
  } else end(run, failure);
}

function end(run: PacketRun, failure: Failure | undefined): void {
  const { scope, ctx, work } = run;
  try {
    keepCookies(ctx, scope);
    settle(run, failure);
  } catch (thrown) {
    logLast(scope.nsp.log, thrown);
  } finally {
    work.end();
    scope.nsp.work.handlers.end();
  }
}

function settle(run: PacketRun, failure: Failure | undefined): void {
  if (failure) {
    failed(run, failure.thrown);
    return;
  }
  try {
    run.ack?.settle();
  } catch (thrown) {
    failed(run, thrown);
  }
}

/** The time of an ack is up, or its controller has failed when the chain was over. */
export function ackOver({ scope, ctx, ack }: PacketRun, err: unknown): void {
  const { nsp, socket } = scope;
  // Nobody is there to hear it.
  if (!socket.connected || ack === undefined) return;
  nsp.counts.of(socket).errors++;
  try {
    ackFailed(nsp, ack, err, ctx);
  } catch (thrown) {
    logLast(nsp.log, thrown);
  }
}

function failed({ scope, ctx, ack }: PacketRun, thrown: unknown): void {
  scope.nsp.counts.of(scope.socket).errors++;
  if (ack?.isOpen) ackFailed(scope.nsp, ack, thrown, ctx);
  // The client has been told that its time was up.
  else if (ack?.isTooLate && scope.nsp.acks?.auto) logFailure(scope.nsp.log, thrown);
  else packetFailed(scope.nsp, scope.socket, thrown, ctx);
}
