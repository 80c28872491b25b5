module.exports = (app) =>
  class MessageService extends app.Service {
    async save(message) {
      const { ctx } = this;
      ctx.logger.info('message from %s: %d characters', ctx.state.user.name, message.text.length);
      return message;
    }
  };
