const path = require('node:path');

// What users get from npm: see prepare.cjs.
exports.io = { enable: true, path: path.join(__dirname, '../../../build/egg-socket.io') };
