const { Controller } = require('egg');

module.exports = class NspController extends Controller {
  async exchange() {
    const { ctx, app } = this;
    const { target, payload } = ctx.args[0] || {};
    if (!target) return;
    const msg = ctx.helper.parseMsg('exchange', payload, { client: ctx.socket.id, target });
    app.io.of('/').emit(target, msg);
  }
};
