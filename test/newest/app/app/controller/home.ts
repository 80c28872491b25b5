import { Controller } from 'egg';

export default class HomeController extends Controller {
  async login(): Promise<void> {
    this.ctx.session.user = this.ctx.query.user;
    this.ctx.body = 'welcome';
  }
}
