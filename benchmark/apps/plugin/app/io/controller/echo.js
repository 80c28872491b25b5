module.exports = (app) =>
  class EchoController extends app.Controller {
    async echo() {
      const [data, answer] = this.ctx.args;
      answer(data);
    }
  };
