// Preloaded into a worker: enables the instrumentation of Socket.IO.
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { SocketIoInstrumentation } = require('@opentelemetry/instrumentation-socket.io');

registerInstrumentations({ instrumentations: [new SocketIoInstrumentation()] });
