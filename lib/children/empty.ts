// The children of parent namespaces that have nobody in them, each with the time since when. Made by children.ts.
import type { IoNamespace } from '../typings';

/** Since when somebody last needed it, in ms of `performance.now()`; in that order. */
type Since = Map<IoNamespace, number>;

export class Empty {
  /** Those that go after a while. */
  readonly #going: Since = new Map();
  /** Those that stay until their place is needed. */
  readonly #staying: Since = new Map();

  add(nsp: IoNamespace, stays: boolean): void {
    (stays ? this.#staying : this.#going).set(nsp, performance.now());
  }

  delete(nsp: IoNamespace): void {
    if (!this.#going.delete(nsp)) this.#staying.delete(nsp);
  }

  /** Somebody has asked for one: if it is empty, it is so from now on. */
  touch(nsp: IoNamespace): void {
    if (this.#going.delete(nsp)) this.add(nsp, false);
    else if (this.#staying.delete(nsp)) this.add(nsp, true);
  }

  isGoing(nsp: IoNamespace): boolean {
    return this.#going.has(nsp);
  }

  /** The one that has been empty longest. */
  oldest(): IoNamespace | undefined {
    const [[going, left] = [undefined, Number.POSITIVE_INFINITY]] = this.#going;
    const [[staying, since] = [undefined, Number.POSITIVE_INFINITY]] = this.#staying;
    return left <= since ? going : staying;
  }

  /** Of those that go, the one that has been empty longest, and since when. */
  next(): [nsp: IoNamespace, since: number] | undefined {
    const [first] = this.#going;
    return first;
  }
}
