exports.io = {
  enable: true,
  package: 'egg-socket.io',
};
