// The events of the namespaces. The compiler compares the decorated methods with them.
import type { AckError } from 'egg-socket.io';

interface ClientEvents {
  say: (text: string, ack: (answer: number | { error: AckError }) => void) => void;
  history: (ack: (answer: string[] | { error: AckError }) => void) => void;
}

interface ServerEvents {
  said: (by: string, text: string) => void;
}

declare module 'egg' {
  interface IoNamespaces {
    '/chat': { client: ClientEvents; server: ServerEvents; data: { name: string } };
  }
}
