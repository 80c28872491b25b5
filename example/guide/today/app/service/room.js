const { Service } = require('egg');

// An application would ask its database.
const rooms = ['lobby', 'garden'];

module.exports = class RoomService extends Service {
  async exists(room) {
    return rooms.includes(room);
  }

  /** Sends the members of a room to all clients in it. */
  async announce(room, action, userId) {
    const { io } = this.app;
    const clients = (await io.in(room).fetchSockets()).map(({ id }) => id);
    io.in(room).emit('online', { clients, action, userId });
  }
};
