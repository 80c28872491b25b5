// Loaded into every process of the application: SIGINT has no effect. On Ctrl-C the terminal sends it to all processes, and npm
// sends it to the master a second time. Only Egg's own listener in the master acts on it: it stops the other processes in order.
process.on('SIGINT', () => {});
