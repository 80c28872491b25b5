// What becomes of a connection chain that has ended, before its client is in or hours later. Called by connection.ts; made once
// for an application, by boot.ts.
import { type ContextFactory, ownerOf } from './context';
import { logFailure } from './failures';
import type { SocketScope } from './scope';

export class Ends {
  readonly #ended: () => void;
  readonly #failed: (thrown: unknown) => void;

  constructor(private readonly contexts: ContextFactory) {
    this.#ended = () => ended(this.#scope as SocketScope);
    this.#failed = (thrown) => failed(this.#scope as SocketScope, thrown);
  }

  /** Notices the end of the chain of a socket. */
  follow(running: Promise<void>, scope: SocketScope): void {
    // Two functions that know the socket would be kept for hours; the context knows it as well, where Egg keeps that.
    if (this.#scope === scope) running.then(this.#ended, this.#failed);
    else
      running.then(
        () => ended(scope),
        (thrown) => failed(scope, thrown),
      );
  }

  /** Of the socket in whose context this is called. */
  get #scope(): SocketScope | undefined {
    const { current } = this.contexts;
    return current && (ownerOf(current) as SocketScope | undefined);
  }
}

function ended({ nsp, entry }: SocketScope): void {
  nsp.work.chains.end();
  entry?.chain?.over();
}

function failed({ nsp, socket, entry }: SocketScope, thrown: unknown): void {
  nsp.work.chains.end();
  if (entry?.chain) entry.chain.over({ thrown });
  // A client that was kept out has heard why.
  else if (!entry?.isRefused) {
    nsp.counts.of(socket).errors++;
    logFailure(nsp.log, thrown);
  }
}
