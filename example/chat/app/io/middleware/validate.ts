// Packet middleware: validates the arguments of events, because clients can send anything. If it throws, the client receives the event
// `error`, and the controller isn't called.
import type { Application, Context } from 'egg';
import { isName, NAME_RULE } from '../../names';

const MAX_LENGTH = 500;

export default (_app: Application) => async (ctx: Context, next: () => Promise<void>) => {
  const [event, value] = ctx.packet;
  if (event === 'join' && !isName(value)) {
    throw new Error(`A room's name has ${NAME_RULE}.`);
  }
  if (event === 'say' && !(typeof value === 'string' && value.trim() !== '' && value.length <= MAX_LENGTH)) {
    throw new Error(`A message has 1 to ${MAX_LENGTH} characters.`);
  }
  await next();
};
