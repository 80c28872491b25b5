const { Controller } = require('egg');

module.exports = class RoomController extends Controller {
  async exchange() {
    const { ctx } = this;
    const { target, payload } = ctx.args[0] ?? {};
    if (typeof target === 'string') this.app.io.to(target).emit('exchange', { from: ctx.id, payload });
  }
};
