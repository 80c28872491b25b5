const { messengerAdapter } = require('../messenger');

exports.keys = 'benchmark';

const port = Number(process.env.REDIS_PORT);
exports.io = {
  links: { adapter: 'cluster' },
  redis: { redis: { host: '127.0.0.1', port } },
  messenger: { adapter: messengerAdapter },
}[process.env.CARRIER];
