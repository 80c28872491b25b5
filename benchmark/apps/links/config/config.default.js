exports.keys = 'benchmark';

const { REDIS_PORT } = process.env;
exports.io = REDIS_PORT ? { redis: { host: '127.0.0.1', port: Number(REDIS_PORT) } } : {};
