module.exports = (app) => {
  app.io.route('echo', app.io.controller.echo.echo);
  app.io.route('news', app.io.controller.echo.news);
};
