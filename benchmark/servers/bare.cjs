// Bare Socket.IO on Node's HTTP server: what the others are compared to.
const http = require('node:http');
const { Server } = require('socket.io');
const { serve } = require('./control.cjs');
const handle = require('./handle.cjs');
const options = require('./options.cjs');

const server = http.createServer();
handle(new Server(server, options));
serve(server);
