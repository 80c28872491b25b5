// The pages and the form for the nickname. The nickname is stored in the session, which app/io reads, too.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Controller } from 'egg';
import { isName, NAME_RULE } from '../names';
import type { Session } from '../session';

export default class HomeController extends Controller {
  /** Shows the chat if the user has a nickname, or else the form. */
  async index() {
    const { nickname } = this.ctx.session as Session;
    await (nickname ? this.#show('chat', { nickname }) : this.#show('join'));
  }

  async join() {
    const { ctx } = this;
    const nickname = String(ctx.request.body.nickname ?? '').trim();
    if (!isName(nickname)) {
      ctx.status = 422;
      return this.#show('join', { nickname, problem: `A nickname has ${NAME_RULE}.` });
    }
    if (await ctx.service.people.isTaken(nickname)) {
      ctx.status = 409;
      return this.#show('join', { nickname, problem: 'Somebody here has this nickname already.' });
    }
    (ctx.session as Session).nickname = nickname;
    ctx.redirect('/');
  }

  async leave() {
    this.ctx.session = null;
    this.ctx.redirect('/');
  }

  /** Handles an HTTP request by emitting a Socket.IO event to a user. */
  async wave() {
    const { ctx, app } = this;
    const { nickname } = ctx.session as Session;
    const { to } = ctx.request.body;
    if (!nickname) ctx.throw(403, 'Choose a nickname first.');
    if (!isName(to)) ctx.throw(422, `A nickname has ${NAME_RULE}.`);
    app.io.of('/chat').user(to).emit('wave', nickname);
    ctx.status = 204;
  }

  /** Renders a page of app/view. A larger application would use a view engine. */
  async #show(name: string, values: Record<string, string> = {}) {
    const { ctx } = this;
    // egg-security refuses forms without this token.
    const all: Record<string, string> = { ...values, csrf: ctx.csrf };
    const html = await readFile(path.join(this.app.baseDir, 'app/view', `${name}.html`), 'utf8');
    ctx.type = 'html';
    ctx.body = html.replace(/\{\{(\w+)\}\}/g, (_match, key: string) => ctx.helper.escape(all[key] ?? ''));
  }
}
