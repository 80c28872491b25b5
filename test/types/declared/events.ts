// The declared events of an application's namespaces.
import type { AckError, ExpiryEvents } from 'egg-socket.io';

export interface Message {
  text: string;
  by: string;
}

/** The events that clients of /chat emit. */
export interface ClientEvents {
  say: (text: string, ack: (answer: Message | { error: AckError }) => void) => void;
  typing: (isTyping: boolean) => void;
  count: (ack: (count: number) => void) => void;
}

/** The events that /chat emits to clients. */
export interface ServerEvents extends ExpiryEvents {
  said: (message: Message) => void;
  left: (who: string, when: number) => void;
}

declare module 'egg' {
  interface IoNamespaces {
    '/': { client: { hello: (name: string) => void }; server: { welcome: (name: string) => void } };
    '/chat': {
      client: ClientEvents;
      server: ServerEvents;
      interServer: { ping: (n: number) => void };
      data: { user?: string };
    };
    '/room/:id': { client: { enter: (seat: number) => void }; server: { entered: (id: string) => void } };
    '/data': { data: { n: number } };
    '/server': { server: { news: (text: string) => void } };
    '/optional': { client: { ask: (what: string, ack?: (answer: number) => void) => void } };
  }
}
