// A session for a test's client: a real one, in the cookie or the store that the application's own middleware uses. Called by
// kit.ts.
import type { Application } from 'egg';
import { sessionOf } from '../session';

/**
 * Saves a session and returns the header that has its cookie.
 *
 * @param header - the `cookie` header that the client has besides
 * @throws where the application saves no session
 */
export async function cookieOf(app: Application, session: object, header = ''): Promise<string> {
  const load = sessionOf(app)?.load;
  if (load === undefined) {
    throw new Error('[egg-socket.io] app.ioClient() has a session, but app.middleware has no session middleware');
  }
  // As over TLS: the cookie of a session may be for that alone, and this one is not sent back by a browser.
  const ctx = app.createAnonymousContext({ socket: { encrypted: true } } as never);
  await load(ctx, async () => {
    ctx.session = { ...session } as never;
  });
  const set = [ctx.response.get('set-cookie') || []].flat().map((cookie) => String(cookie).split(';', 1)[0] as string);
  // Empty, it is as none.
  if (set.length === 0 && Object.keys(session).length === 0) return header;
  if (set.length === 0) {
    throw new Error(
      '[egg-socket.io] the session of app.ioClient() was not saved: has app.mockSession() taken the place of all sessions?',
    );
  }
  const names = set.map(nameOf);
  const others = header.split(';').filter((pair) => pair.trim() !== '' && !names.includes(nameOf(pair)));
  return [...others.map((pair) => pair.trim()), ...set].join('; ');
}

function nameOf(pair: string): string {
  return (pair.split('=', 1)[0] as string).trim();
}
