module.exports = require('../../../typical/app/service/message.js');
