// Lets a client into the room that its query names, and tells the room who is in it.
module.exports = () => {
  return async (ctx, next) => {
    const { app, socket, logger, helper, service } = ctx;
    const { id } = socket;
    const { room, userId } = socket.handshake.query;
    const nsp = app.io.of('/');

    const announce = (action, message) => {
      nsp.adapter.clients([room], (err, clients) => {
        if (err) logger.error(err);
        nsp.to(room).emit('online', { clients, action, target: 'participator', message });
      });
    };

    const kick = (payload) => {
      socket.emit(id, helper.parseMsg('deny', payload));
      nsp.adapter.remoteDisconnect(id, true, (err) => {
        if (err) logger.error(err);
      });
    };

    if (!(await service.room.exists(room))) {
      kick({ type: 'deleted', message: `There is no room ${room}.` });
      return;
    }

    socket.join(room);
    announce('join', `User(${userId}) joined.`);

    await next();

    announce('leave', `User(${userId}) left.`);
  };
};
