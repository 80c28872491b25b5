// Session ids that say which worker has made them. Called by lib/engine.ts for new ones, and by handover.ts.
import { randomBytes } from 'node:crypto';

/** How many characters a tag has. */
const LENGTH = 8;
const TAG = /^[\w-]{8}$/;
const SID = /^[\w-]{30}$/;

/** The name of a worker among the workers of its host: random, and another one after each start. */
export function makeTag(): string {
  return randomBytes(6).toString('base64url');
}

/** Whether that is a tag; what is none never becomes part of a path. */
export function isTag(value: unknown): value is string {
  return typeof value === 'string' && TAG.test(value);
}

/** An Engine.IO session id of a worker: its tag, and 128 random bits. */
export function makeSid(tag: string): string {
  return tag + randomBytes(16).toString('base64url');
}

/** The tag of the worker that has made a session id; undefined where no worker makes such ids. */
export function tagOf(sid: unknown): string | undefined {
  return typeof sid === 'string' && SID.test(sid) ? sid.slice(0, LENGTH) : undefined;
}
