// The test kit's clients know the events that the application has declared.
import { app } from 'egg-mock/bootstrap';
import type { Equal, Expect } from '../expect';
import type { Message } from './events';

export async function kit(): Promise<void> {
  const chat = await app.ioClient('/chat');
  const answer = await chat.emitWithAck('say', 'hello');
  const said = await chat.expect('said');
  await chat.expect('said', { text: 'hello', by: 'ann' });
  await chat.expect('left', 'ann', 1);
  await chat.expect('left', (who, when) => who.length > when);
  await chat.expectNothing('left');
  const [reason] = await chat.expect('disconnect');
  // @ts-expect-error no event of the server
  await chat.expect('sayd');
  // @ts-expect-error no event of the server
  await chat.expectNothing('sayd');
  // @ts-expect-error a message has an author
  await chat.expect('said', { text: 'hello' });
  // @ts-expect-error no event of clients
  chat.emit('said', 'hello');
  // What a namespace's name is at run time is not known.
  const room = await app.ioClient('/room/7');
  await room.expect('entered', '7');
  checked<[Expect<Equal<typeof said, [message: Message]>>, Expect<Equal<typeof reason, string>>]>(answer);
}

declare function checked<_T>(value: unknown): void;
