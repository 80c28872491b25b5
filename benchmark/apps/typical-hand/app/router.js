const signIn = require('../../typical/app/sign-in.js');

module.exports = (app) => {
  app.get('/', signIn);
};
