// Socket.IO 4 on Node's HTTP server, without a framework.
const http = require('node:http');
const { Server } = require('socket.io');
const { serve } = require('./control.cjs');
const handle = require('./handle.cjs');
const options = require('./options.cjs');

const server = http.createServer();
handle(new Server(server, options));
serve(server);
