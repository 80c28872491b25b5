exports.keys = 'benchmark';
