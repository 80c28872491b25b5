// Egg's boot hook: creates what a worker has once.
import type { Application } from 'egg';
import { History } from './app/history';

export default class ChatBoot {
  constructor(private readonly app: Application) {}

  didLoad() {
    this.app.history = new History(this.app);
  }
}
