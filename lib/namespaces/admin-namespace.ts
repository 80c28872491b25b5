// The namespace of the admin UI. It is created before those of the application, so that no pattern and no regular expression stands for its
// name, and is not bound: the application's middleware does not guard it.
import type { Socket } from 'socket.io';
import { ConfigError } from '../errors';
import type { IoNamespace } from '../types/namespace';

export class AdminNamespace {
  #isOpen = false;

  /** @param nsp - a namespace that was just created */
  constructor(readonly nsp: IoNamespace) {
    nsp.use((socket, next) => {
      if (!this.#isOpen) next(new Error('the server is starting'));
      else next(hasCredentials(socket) ? undefined : new Error('invalid credentials'));
    });
    nsp.route = (...[event]: unknown[]) => refuse(nsp.name, 'route()', event);
    nsp.user = (id) => refuse(nsp.name, 'user()', id);
    nsp.presence = (topic) => refuse(nsp.name, 'presence()', topic);
  }

  /** Admits clients. Must be called when the middleware that authenticates them was added. */
  open(): void {
    this.#isOpen = true;
  }
}

/** Whether a client that has sent a name has sent a password: admin-ui's bcrypt rejects anything but a string, and nothing handles that. */
function hasCredentials({ handshake: { auth } }: Socket): boolean {
  return typeof auth.username !== 'string' || typeof auth.password === 'string';
}

function refuse(name: string, member: string, value: unknown): never {
  const problem = `${name} is the namespace of the admin UI: set config.io.admin.namespaceName to another name`;
  throw new ConfigError(`app.io.of('${name}').${member}`, value, 'a namespace of the application', problem);
}
