// The types that follow from the schemas of events.
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type } from 'arktype';
import { type Application, type Context, Controller } from 'egg';
import type {
  AckError,
  ContextOf,
  EmittedBy,
  EmittedSchemas,
  EventSchemas,
  EventsOf,
  Middleware,
  StandardSchema,
} from 'egg-socket.io';
import type { Socket } from 'socket.io-client';
import * as v from 'valibot';
import { z } from 'zod';
import type { Equal, Expect } from './expect';

export const chat = {
  say: { args: [z.string().max(500)], ack: z.object({ id: z.number() }) },
  move: { args: [z.coerce.number(), v.optional(v.number(), 7)] },
  find: { args: [type('string'), type('number').optional()[0], z.string().nullish()], ack: type('number') },
  count: { ack: v.number() },
  parsed: { args: [z.string().transform((text) => text.length)] },
  nothing: { args: [] },
  maybe: { args: [z.string(), z.number().optional(), z.boolean().default(true)], ack: z.number() },
  middle: { args: [z.string().nullish(), z.number()] },
  '*': { args: [z.unknown()] },
} satisfies EventSchemas;

export class SchemaController extends Controller {
  async say(ctx: ContextOf<typeof chat.say>) {
    const [text, ack] = ctx.args;
    ack({ id: text.length });
    return { id: 1 };
  }

  async move(ctx: ContextOf<typeof chat.move>) {
    const [x, y] = ctx.args;
    ctx.emit('moved', x.toFixed(), y.toFixed());
    // @ts-expect-error it is a number
    x.trim();
  }

  /** A controller method without types. */
  async old() {
    return this.ctx.args[0].whatever;
  }

  async count() {
    return 1;
  }

  async text() {
    return 'one';
  }
}

export default (app: Application, controller: SchemaController): void => {
  const nsp = app.io.of('/chat');
  const guard: Middleware = (_ctx, next) => next();
  const guards = [guard, guard];
  // A middleware of app/io/middleware that is not declared.
  const undeclared: any = guard;

  nsp.route('say', { args: [z.string()], ack: z.object({ id: z.number() }) }, (ctx) => {
    const [text, ack] = ctx.args;
    ack({ id: text.length });
    ack({ error: { message: text.trim(), code: 'NO' } });
    ctx.logger.info(ctx.ip, ctx.packet[0].toUpperCase());
    // @ts-expect-error the text is a string
    text.toFixed();
    // @ts-expect-error the id is a number
    ack({ id: text });
    // @ts-expect-error there is one argument and the acknowledgement
    ctx.args[2];
    // @ts-expect-error the packet is what the client has sent
    ctx.packet[1].length;
    return { id: 1 };
  });
  nsp.route('say', chat.say, async () => ({ id: 1 }));
  nsp.route('say', chat.say, async () => ({ error: { message: 'no' } }));
  nsp.route('say', chat.say, () => {});
  nsp.route('say', chat.say, guard, (ctx) => ({ id: ctx.args[0].length }));
  nsp.route('say', guard, guard, chat.say, (ctx) => ({ id: ctx.args[0].length }));
  nsp.route('say', guard, chat.say, guard, (ctx) => ({ id: ctx.args[0].length }));
  nsp.route('say', ...guards, chat.say, (ctx) => ({ id: ctx.args[0].length }));
  nsp.route('say', chat.say, ...guards, (ctx) => ({ id: ctx.args[0].length }));
  nsp.route('say', undeclared, { args: [z.string()] }, guard, (ctx) => {
    ctx.args[0].trim();
    // @ts-expect-error the text is a string
    ctx.args[0].toFixed();
  });
  nsp.route('say', undeclared, (ctx) => ctx.args[0].whatever);
  nsp.route('say', chat.say, 'chat.say');
  nsp.route('say', guard, chat.say, 'chat.say');
  nsp.route('say', chat.say, controller.say);
  nsp.route('say', guard, chat.say, controller.say);
  nsp.route('move', chat.move, controller.move);
  nsp.route('move', chat.move, controller.old);
  nsp.route('count', chat.count, controller.count);
  nsp.route('say', chat.say, (ctx: Context) => ({ id: ctx.args[5] }));
  nsp.route('*', chat['*'], (ctx) => ctx.args[0]);
  app.io.of(/^\/dynamic/).route('move', { args: [z.number()] }, (ctx) => {
    const [x] = ctx.args;
    ctx.emit('moved', x.toFixed());
    // @ts-expect-error it is a number
    x.trim();
  });
  app.io.route('say', chat.say, (ctx) => ({ id: ctx.args[0].length }));
  // @ts-expect-error the answer is an object with a number
  nsp.route('say', chat.say, () => ({ id: 'one' }));
  // @ts-expect-error the answer is an object with a number
  nsp.route('say', undeclared, chat.say, guard, () => ({ id: 'one' }));
  // @ts-expect-error the answer is a promise of an object with a number
  nsp.route('say', guard, chat.say, async () => 'one');
  // @ts-expect-error the controller answers a string
  nsp.route('count', chat.count, controller.text);
  // @ts-expect-error the controller is for another event
  nsp.route('move', chat.move, controller.say);
  // @ts-expect-error the controller does not exist
  nsp.route('say', chat.say, 'chta.say');
  // @ts-expect-error the handler is missing
  nsp.route('say', chat.say);
  // @ts-expect-error a schema has args or ack
  nsp.route('say', {}, controller.old);
  // @ts-expect-error args is an array
  nsp.route('say', { args: z.string() }, controller.old);
  // @ts-expect-error it is no schema
  nsp.route('say', { args: ['string'] }, controller.old);
  // @ts-expect-error a schema of an argument belongs into args
  nsp.route('say', z.string(), controller.old);
};

export async function client(socket: Socket<{ said: (text: string) => void }, EventsOf<typeof chat>>): Promise<void> {
  const answer = await socket.emitWithAck('say', 'hello');
  if ('error' in answer) answer.error.message.trim();
  else answer.id.toFixed();
  socket.emit('say', 'hello', (given) => 'id' in given);
  socket.timeout(1000).emit('say', 'hello', (err, given) => void [err.message, 'id' in given]);
  // Arguments at the end that may be undefined can be left out.
  socket.emit('move', 1);
  socket.emit('move', 1, 2);
  await socket.emitWithAck('find', 'x', 1);
  await socket.emitWithAck('find', 'x', 1, null);
  await socket.emitWithAck('maybe', 'x');
  await socket.emitWithAck('maybe', 'x', 1);
  const found = await socket.emitWithAck('maybe', 'x', 1, false);
  checked<Expect<Equal<typeof found, number | { error: AckError }>>>();
  await socket.emitWithAck('count');
  socket.emit('parsed', 'text');
  socket.emit('nothing');
  socket.emit('middle', null, 1);
  // @ts-expect-error the text is a string
  socket.emit('say', 5);
  // @ts-expect-error the text is missing
  await socket.emitWithAck('say');
  // @ts-expect-error clients do not emit it
  socket.emit('said', 'hello');
  // @ts-expect-error undefined arrives as null
  socket.emit('move', 1, undefined);
  // @ts-expect-error undefined arrives as null
  socket.emit('middle', undefined, 1);
  // @ts-expect-error one argument too many
  socket.emit('nothing', 1);
  // @ts-expect-error it is not the name of an event
  socket.emit('*', 1);
  // @ts-expect-error the client sends the text, not what the server makes of it
  socket.emit('parsed', 5);
  // @ts-expect-error it answers a number
  (await socket.emitWithAck('count')).trim();
}

const emitted = { said: [z.string(), z.string().optional()], over: [] } satisfies EmittedSchemas;

export function emits(app: Application, socket: Socket<EmittedBy<typeof emitted>, EventsOf<typeof chat>>): void {
  app.io.of('/chat').emits(emitted);
  app.io.of(/^\/dynamic/).emits({ said: [z.string()] });
  socket.on('said', (by, text) => [by.trim(), text?.trim()]);
  socket.on('over', () => {});
  // @ts-expect-error it is a string
  socket.on('said', (by) => by.toFixed());
  // @ts-expect-error the server does not emit it
  socket.on('unsaid', () => {});
  // @ts-expect-error there is no argument
  socket.on('over', (text: string) => text);
  // @ts-expect-error the schemas of the arguments are an array
  app.io.of('/chat').emits({ said: z.string() });
  // @ts-expect-error it is no schema
  app.io.of('/chat').emits({ said: ['string'] });
}

declare function checked<_T>(): void;

type Ack<A> = (answer: A | { error: AckError }) => void;
type AnyAck = (...answer: any[]) => void;

/** Whether a type is assignable to another one. */
type Extends<A, B> = A extends B ? true : false;

export type Checks = [
  Expect<Equal<ContextOf<typeof chat.say>['args'], [string, ack: Ack<{ id: number }>]>>,
  Expect<Equal<ContextOf<typeof chat.move>['args'], [number, number, ack?: AnyAck]>>,
  Expect<Equal<ContextOf<typeof chat.parsed>['args'], [number, ack?: AnyAck]>>,
  Expect<Equal<ContextOf<typeof chat.maybe>['args'], [string, number | undefined, boolean, ack: Ack<number>]>>,
  Expect<Equal<ContextOf<typeof chat.count>['args'], any[]>>,
  Expect<Equal<Parameters<EventsOf<typeof chat>['say']>, [string, ack: Ack<{ id: number }>]>>,
  // The copy of the interface is that of the specification.
  Expect<Extends<StandardSchemaV1<string, number>, StandardSchema<string, number>>>,
  Expect<Extends<StandardSchema<string, number>, StandardSchemaV1<string, number>>>,
];
