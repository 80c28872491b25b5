// The types of the test kit, as a test of an application uses them.
import { app as app4 } from '@eggjs/mock/bootstrap';
import type { Application } from 'egg';
import { app as app3 } from 'egg-mock/bootstrap';
import type { IoClientFactory, IoRefusal, IoTestClient, MockIoContext } from 'egg-socket.io';
import type { Socket } from 'socket.io-client';
import type { Equal, Expect } from './expect';

export async function kit(app: Application): Promise<void> {
  const chat = await app.ioClient('/chat', {
    session: { user: 'ann' },
    headers: { 'x-name': 'h' },
    query: { n: 1 },
    auth: { token: 'a' },
    timeout: 100,
    transports: ['polling'],
  });
  const socket: Socket = chat;
  const answer: string = await chat.emitWithAck('say', 'hello');
  const [text] = await chat.expect('said');
  await chat.expect('said', answer, text);
  await chat.expect('moved', (x, y) => x > y);
  await chat.expect('disconnect', 'io server disconnect');
  await chat.expectNothing('said');
  socket.close();
  const refusal = await app.ioClient.expectRefused('/chat', /log in/, { session: {} });
  await app.ioClient.expectRefused('/chat', ({ data, message }) => data === message);
  const url: string = await app.ioClient.url();
  const ctx = app.mockIoContext({
    packet: ['say', 'hello', () => {}],
    session: {},
    namespace: '/chat',
    params: { id: url },
  });
  await app.io.controller.chat.say.call(ctx);
  const [[event, ...args] = ['none']] = ctx.emitted;
  ctx.logger.info(event, args);
  // @ts-expect-error no such option
  await app.ioClient('/chat', { sesion: {} });
  // @ts-expect-error the event's name is missing
  await chat.expect();
  // @ts-expect-error a number is not a reason
  await app.ioClient.expectRefused('/chat', 1);
  // @ts-expect-error the event's name is missing
  app.mockIoContext({ packet: [] });

  checked<[Expect<Equal<typeof chat, IoTestClient>>, Expect<Equal<typeof refusal, IoRefusal>>]>();
}

declare function checked<_T>(): void;

export async function bootstrap(): Promise<void> {
  const chat = await app3.ioClient('/chat');
  const other = await app4.ioClient('/chat');
  await chat.expect('said', 'hello');
  await other.expect('said', 'hello');
  app3.mockIoContext({ packet: ['say'] });
  app4.mockIoContext({ packet: ['say'] });
}

type Bootstrapped = [
  Expect<Equal<typeof app3.ioClient, IoClientFactory>>,
  Expect<Equal<typeof app4.ioClient, IoClientFactory>>,
  Expect<Equal<ReturnType<typeof app3.mockIoContext>, MockIoContext>>,
  Expect<Equal<ReturnType<typeof app4.mockIoContext>, MockIoContext>>,
];

export type { Bootstrapped };
