module.exports = {
  echo(ctx) {
    const [data, answer] = ctx.args;
    answer(data);
  },

  news(ctx) {
    ctx.app.io.to('room').emit('news', ctx.args[0]);
  },
};
