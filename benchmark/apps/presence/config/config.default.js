exports.keys = 'benchmark';
// Each change is in a window of its own, which is the most expensive case.
exports.io = { presence: { interval: 10 } };
