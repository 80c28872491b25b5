const signIn = require('./sign-in.js');

module.exports = (app) => {
  app.get('/', signIn);
  app.io.route('echo', app.io.controller.chat.echo);
};
