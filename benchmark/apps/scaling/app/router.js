// As many routes as scaling.cjs asks for, in each namespace; the one that is measured comes last.
const { NAMESPACES, ROUTES } = process.env;

module.exports = (app) => {
  const { echo } = app.io.controller.echo;
  for (const name of NAMESPACES.split(',')) {
    for (let n = 1; n < Number(ROUTES); n++) app.io.of(name).route(`other${n}`, echo);
    app.io.of(name).route('echo', echo);
  }
};
