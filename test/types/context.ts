// The members of contexts in app/io.
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

  if (!ctx.reauthenticating) await ctx.reauthenticate();
  const renewed: Promise<void> = ctx.reauthenticate({ auth: { token: ctx.args[0] } });
  // @ts-expect-error auth is an object
  ctx.reauthenticate({ auth: 'token' });
  void renewed;

  // Members of Egg's own contexts.
  const strings: string[] = [ctx.ip, ctx.path, ctx.id, ctx.handshake.address, ctx.conn.transport.name];
  ctx.logger.info(strings);
  void whole;

  // @ts-expect-error Socket.IO's socket has no such member
  ctx.socket.nope;
  // @ts-expect-error the room's name is missing
  ctx.socket.join();
  // @ts-expect-error the room's name is not a number
  ctx.join(1);
  // @ts-expect-error the event's name is missing
  ctx.emit();
  // @ts-expect-error the address is read-only
  ctx.socket.remoteAddress = '127.0.0.1';
  // @ts-expect-error the address is a string
  const port: number = ctx.socket.remoteAddress;
  // @ts-expect-error an event's name is a string
  ctx.packet[0] = 1;
  // @ts-expect-error the client's arguments are unknown
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
