exports.keys = 'benchmark';

exports.logger = { enableFastContextLogger: true };
