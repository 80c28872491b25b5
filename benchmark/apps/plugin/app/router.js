module.exports = (app) => app.io.route('echo', app.io.controller.echo.echo);
