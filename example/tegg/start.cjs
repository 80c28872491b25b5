// Starts the example on the port of its argument, or on 7001: node --import tsx start.cjs
require('egg').startCluster({ baseDir: __dirname, port: Number(process.argv[2] ?? 7001), workers: 2 });
