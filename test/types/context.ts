// What a context has in app/io, beside what every context of Egg has.
import type { Context } from 'egg';
import type { IoServer } from 'egg-socket.io';
import type { Socket } from 'socket.io';
import type { Equal, Expect } from './expect';

export async function packet(ctx: Context): Promise<void> {
  const { socket } = ctx;
  await socket.join('room');
  socket.emit('event', 1, 'two', (answer: string) => answer);
  socket.data.user = 'name';
  const address: string = socket.remoteAddress;
  const whole: Socket = socket;
  const answer: unknown = await socket.timeout(1000).emitWithAck('event');

  const [event, ...args] = ctx.packet;
  ctx.packet[0] = event.toLowerCase();
  ctx.packet.push('one more');
  const [first, ack] = ctx.args;
  ack(first);
  const rooms: string[] = Array.from(ctx.rooms);

  await ctx.join('room');
  ctx.leave('room');
  ctx.to('room').emit('event', address);
  ctx
    .in(['room', 'other'])
    .except('third')
    .emit('event', ...args);
  ctx.send('message').write('message');
  ctx.volatile.emit('event');
  ctx.broadcast.emit('event');
  ctx.local.emit('event');
  ctx.data.user = answer;
  ctx.server.of('/chat').route('say', () => rooms);
  ctx.disconnect(true);

  // What Egg's own contexts have is there as before.
  const strings: string[] = [ctx.ip, ctx.path, ctx.id, ctx.handshake.address, ctx.conn.transport.name];
  ctx.logger.info(strings);
  void whole;

  // @ts-expect-error Socket.IO's socket has no such member
  ctx.socket.nope;
  // @ts-expect-error a room has a name
  ctx.socket.join();
  // @ts-expect-error which is no number
  ctx.join(1);
  // @ts-expect-error an event has a name
  ctx.emit();
  // @ts-expect-error the address is the handshake's
  ctx.socket.remoteAddress = '127.0.0.1';
  // @ts-expect-error the address is a string
  const port: number = ctx.socket.remoteAddress;
  // @ts-expect-error an event's name is a string
  ctx.packet[0] = 1;
  // @ts-expect-error what a client sends is unknown until it is looked at
  ctx.packet[1].length;
  // @ts-expect-error the rooms are a Set since Socket.IO 3
  ctx.rooms.length;
  void port;
}

export type Checks = [
  Expect<Equal<Context['args'], any[]>>,
  Expect<Equal<Context['packet'], [event: string, ...args: unknown[]]>>,
  Expect<Equal<Context['rooms'], Set<string>>>,
  Expect<Equal<Context['server'], IoServer>>,
  Expect<Equal<Context['connected'], boolean>>,
];
