// What is sent arrives as it is, at the clients of all workers: binary, long, odd.
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { fixture } from '../app';
import type { Chain, Doer } from './client';
import { NAMESPACES, type Unable, type World } from './world';

const payloads: Record<string, unknown> = require(`${fixture('conformance')}/payloads`);
/** All payloads, by name. */
export const NAMES = Object.keys(payloads);
const LARGE = '1 MB';
/** Socket.IO's server accepts at most ten attachments in a packet of a client. */
const NOT_ECHOED = 'more than ten attachments';
const LONG = 10_000;

export function payloadTests(world: () => World, { tellOthers, binaryAnswers, payloads: unable = {} }: Unable): void {
  const able = NAMES.filter((name) => !(name in unable));
  for (const nsp of NAMESPACES) {
    describe(`payloads in ${nsp}`, () => {
      // Large payloads are slow, so they are sent in one namespace only.
      const some = able.filter((name) => nsp === '/' || !name.startsWith(LARGE));

      for (const name of some) {
        it(`should arrive unchanged: ${name}`, async () => {
          for (const me of world().each(nsp)) await shouldArrive(world(), me, name);
        });
      }

      for (const name of some.filter((each) => each !== NOT_ECHOED)) {
        it(`should be unchanged in acknowledgements: ${name}`, async () => {
          const me = world().one(nsp);
          // The returned values are compared in this process.
          const same = await me.ask('io', ['timeout', LONG], ['emitWithAck', 'echo', { payload: name }]);
          assert.equal(same.length, world().in(nsp).length);
          for (const each of same) assertSame(each, arrived(payloads[name]), name);
        });
      }

      for (const name of tellOthers ? [] : some) {
        it(`should be unchanged in serverSideEmit: ${name}`, async () => {
          const me = world().one(nsp);
          await me.perform([['io', ['serverSideEmit', 'note', { payload: name }]]]);
          await world().lastWord(me);
          const notes = await world().notes();
          const told = binaryAnswers ? JSON.parse(JSON.stringify(payloads[name])) : arrived(payloads[name]);
          assert.deepEqual(
            notes.map((each) => each.length),
            world().pids.map((_, worker) => (worker === me.worker ? 0 : 1)),
          );
          for (const [note] of notes) if (note) assertSame(note[1], told, name);
        });
      }
    });
  }
}

/** Sends a payload to all clients and to rooms, and compares what the clients receive. */
export async function shouldArrive(world: World, doer: Doer, name: string): Promise<void> {
  const payload = { payload: name };
  const chains: Chain[] = [
    ['io', ['emit', 'all', payload]],
    ['io', ['to', ['a', 'b']], ['emit', 'some', 1, payload, 'last']],
  ];
  await doer.perform(chains);
  await world.lastWord(doer);
  const it = arrived(payloads[name]);
  for (const client of world.clients) {
    const some = client.kind === '' ? [] : [['some', 1, it, 'last']];
    const expected = client.nsp === doer.nsp ? [['all', it], ...some] : [];
    assertSame(client.heard.splice(0), expected, `${name}, received by ${client.name}`);
  }
}

/** Compares values without assert.deepEqual, which would print megabytes. */
function assertSame(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  const show = (value: unknown) => JSON.stringify(value)?.slice(0, 500);
  assert.fail(`${what} is ${show(actual)}, not ${show(expected)}`);
}

/** Returns a payload as Socket.IO delivers it in Node.js: binary data as Buffers, all else as parsed from JSON. */
function arrived(payload: unknown): unknown {
  const buffers: Buffer[] = [];
  const text = JSON.stringify(toMarks(payload, buffers));
  return JSON.parse(text, (_key, value) => (typeof value?.mark === 'number' ? buffers[value.mark] : value));
}

function toMarks(value: any, buffers: Buffer[]): unknown {
  if (ArrayBuffer.isView(value)) {
    return { mark: buffers.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength)) - 1 };
  }
  if (value instanceof ArrayBuffer) return { mark: buffers.push(Buffer.from(value)) - 1 };
  if (Array.isArray(value)) return value.map((each) => toMarks(each, buffers));
  if (value === null || typeof value !== 'object' || typeof value.toJSON === 'function') return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, toMarks(each, buffers)]));
}
