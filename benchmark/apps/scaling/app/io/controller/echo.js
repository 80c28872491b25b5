module.exports = (app) =>
  class EchoController extends app.Controller {
    async echo() {
      const [data, answer] = this.ctx.args;
      answer(data);
    }

    async news() {
      this.app.io.to('room').emit('news', this.ctx.args[0]);
    }
  };
