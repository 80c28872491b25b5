// What one would write without this plugin: broadcasts by Egg's messenger, which goes through the master.
const { ClusterAdapter } = require('socket.io-adapter');

const ACTION = 'benchmark';

exports.messengerAdapter = (app) =>
  class MessengerAdapter extends ClusterAdapter {
    constructor(nsp) {
      super(nsp);
      app.messenger.on(ACTION, (message) => this.onMessage(message));
    }

    doPublish(message) {
      app.messenger.sendToApp(ACTION, message);
      return Promise.resolve('');
    }

    doPublishResponse(_uid, response) {
      return this.doPublish(response);
    }

    serverCount() {
      return Promise.resolve(2);
    }
  };
