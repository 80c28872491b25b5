import { Controller } from 'egg';

export default class ChatController extends Controller {
  async say(): Promise<void> {
    const [text, ack] = this.ctx.args;
    const { user } = this.ctx.session as { user: string };
    ack(`${user} said ${text} in event ${this.ctx.data.events}`);
  }

  async shout(): Promise<void> {
    this.app.io.emit('heard', this.ctx.args[0]);
  }

  async where(): Promise<void> {
    const isCurrent = this.app.currentContext?.id === this.ctx.id;
    this.ctx.args[0](this.ctx.params, isCurrent);
  }
}
