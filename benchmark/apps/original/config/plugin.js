const path = require('node:path');

exports.io = { enable: true, path: path.join(__dirname, '../../../node_modules/egg-socket.io') };
