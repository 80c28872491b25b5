// Schemas of events in a namespace whose events are declared.
import type { Application } from 'egg';
import type { AckError, ContextOf, EventContext, EventSchemas, EventsOf } from 'egg-socket.io';
import { z } from 'zod';
import type { Equal, Expect } from '../expect';

export const game = {
  move: { args: [z.number(), z.number().optional()], ack: z.boolean() },
  leave: { args: [] },
} satisfies EventSchemas;

declare module 'egg' {
  interface IoNamespaces {
    '/game': { client: EventsOf<typeof game>; server: { moved: (by: string) => void }; data: { user: string } };
  }
}

const controller = {
  async move(ctx: ContextOf<typeof game.move, '/game'>) {
    const [x, y, ack] = ctx.args;
    ctx.broadcast.emit('moved', ctx.data.user + x.toFixed() + y?.toFixed());
    ack(true);
    // @ts-expect-error the server does not emit it
    ctx.emit('left');
  },
};

export default (app: Application): void => {
  const nsp = app.io.of('/game');
  nsp.route('move', game.move, controller.move);
  nsp.route('move', game.move, (ctx) => {
    ctx.emit('moved', ctx.id);
    // @ts-expect-error the server does not emit it
    ctx.emit('left');
    return true;
  });
  app.io.of('/room/:id').route('enter', { args: [z.number()] }, (ctx) => {
    ctx.emit('entered', ctx.params.id + ctx.args[0].toFixed());
    // @ts-expect-error the parameter does not exist
    ctx.params.name;
  });
  // @ts-expect-error clients of /game do not emit it
  nsp.route('shout', game.leave, () => {});
  // @ts-expect-error the answer is a boolean
  nsp.route('move', game.move, () => 'yes');
};

type Ack = (answer: boolean | { error: AckError }) => void;

export type Checks = [
  Expect<Equal<EventContext<'/game', 'move'>['args'], [number, ack: Ack] | [number, number, ack: Ack]>>,
];
