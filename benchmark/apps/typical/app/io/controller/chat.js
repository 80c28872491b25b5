module.exports = (app) =>
  class ChatController extends app.Controller {
    async echo() {
      const { ctx } = this;
      const [message, ack] = ctx.args;
      ack(await ctx.service.message.save(message));
    }
  };
