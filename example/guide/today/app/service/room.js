const { Service } = require('egg');

// An application would ask its database.
const rooms = ['lobby', 'garden'];

module.exports = class RoomService extends Service {
  async exists(room) {
    return rooms.includes(room);
  }
};
