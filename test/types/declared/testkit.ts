// The types of the test kit's clients if the application declares its events.
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
  // @ts-expect-error the server does not emit it
  await chat.expect('sayd');
  // @ts-expect-error the server does not emit it
  await chat.expectNothing('sayd');
  // @ts-expect-error the author is missing
  await chat.expect('said', { text: 'hello' });
  // @ts-expect-error clients do not emit it
  chat.emit('said', 'hello');
  // A child of a parent namespace.
  const room = await app.ioClient('/room/7');
  await room.expect('entered', '7');
  checked<[Expect<Equal<typeof said, [message: Message]>>, Expect<Equal<typeof reason, string>>]>(answer);
}

declare function checked<_T>(value: unknown): void;
