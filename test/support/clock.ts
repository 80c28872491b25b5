// A clock that a test advances: Date.now(), until the end of the test. Timers still fire in real time.
import { mm } from './app';

/**
 * Returns a function that advances the clock by so many ms. A negative number sets it back. While it is ahead, a client of this process
 * that emits an event believes that its server no longer pings.
 */
export function controlClock(): (ms: number) => void {
  const { now } = Date;
  let offset = 0;
  mm(Date, 'now', () => now() + offset);
  return (ms) => {
    offset += ms;
  };
}
