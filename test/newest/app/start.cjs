// Starts the application with two workers, on the port of its argument.
require('egg').startCluster({ baseDir: __dirname, port: Number(process.argv[2]), workers: 2 });
