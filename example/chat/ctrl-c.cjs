// Ctrl-C reaches every process of a terminal at once, and the master a second time where npm passes it on. Only Egg's own
// listener in the master, which stops the others in good order, shall act on it. Loaded by start.cjs into all of them.
process.on('SIGINT', () => {});
