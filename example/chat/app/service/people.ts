// Users and rooms. They are read from Socket.IO's sockets of all workers, so there is no separate list to maintain.
import { Service } from 'egg';
import { roomKey } from '../names';

/** Rooms that are listed even if they are empty. */
const FIXED_ROOMS = ['Lobby', 'Help', 'Random'];

/** A user in a room. */
export interface Person {
  nickname: string;
  /** The workers to which the user's pages are connected. A user may have several pages open. */
  workers: number[];
}

export default class PeopleService extends Service {
  async inRoom(room: string): Promise<Person[]> {
    const sockets = await this.#chat.in(roomKey(room)).fetchSockets();
    const people = new Map<string, Set<number>>();
    for (const { data } of sockets) {
      people.set(data.nickname, (people.get(data.nickname) ?? new Set()).add(data.worker));
    }
    return [...people.keys()]
      .sort()
      .map((nickname) => ({ nickname, workers: [...(people.get(nickname) ?? [])].sort() }));
  }

  async rooms(): Promise<string[]> {
    const sockets = await this.#chat.fetchSockets();
    const lively = sockets.map((socket) => socket.data.room as string | undefined).filter((room) => room !== undefined);
    return [...new Set([...FIXED_ROOMS, ...lively.sort()])];
  }

  async isTaken(nickname: string): Promise<boolean> {
    const sockets = await this.#chat.user(nickname).fetchSockets();
    return sockets.length > 0;
  }

  /** Emits the list of rooms to all clients, and the users of each of these rooms to the clients in it. */
  async announce(...rooms: string[]): Promise<void> {
    this.#chat.emit('rooms', await this.rooms());
    for (const room of rooms) this.#chat.to(roomKey(room)).emit('people', room, await this.inRoom(room));
  }

  get #chat() {
    return this.app.io.of('/chat');
  }
}

declare module 'egg' {
  interface IService {
    people: PeopleService;
  }
}
