// NestJS with its own Socket.IO adapter: a gateway with one guard.
import 'reflect-metadata';
import { Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import control from './control.cjs';
import decorate from './decorate.cjs';
import options from './options.cjs';

class Guard {
  canActivate(context) {
    context.switchToWs().getClient().data.received = context.switchToWs().getPattern();
    return true;
  }
}

class Gateway {
  handleConnection(client) {
    client.join('room');
  }

  echo(_client, data) {
    return data;
  }

  news(_client, data) {
    this.io.to('room').emit('news', data);
  }
}
decorate(Gateway, { io: [WebSocketServer()], echo: [SubscribeMessage('echo')], news: [SubscribeMessage('news')] }, [
  UseGuards(Guard),
  WebSocketGateway(options),
]);

class Application {}
decorate(Application, {}, [Module({ providers: [Gateway, Guard] })]);

const app = await NestFactory.create(Application, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
control.report({ port: app.getHttpServer().address().port });
