const { Controller } = require('egg');

module.exports = class RoomController extends Controller {
  /** The client is connected, and is in its room. */
  async enter() {
    const { room, userId } = this.ctx.handshake.query;
    await this.service.room.announce(room, 'join', userId);
  }

  async exchange() {
    const { ctx } = this;
    const { target, payload } = ctx.args[0] ?? {};
    if (typeof target === 'string') this.app.io.to(target).emit('exchange', { from: ctx.id, payload });
  }
};
