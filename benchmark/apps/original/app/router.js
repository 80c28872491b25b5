module.exports = (app) => {
  app.io.of('/').route('echo', app.io.controller.echo.echo);
  app.io.of('/').route('news', app.io.controller.echo.news);
};
