// Decorated methods whose types must be accepted or refused. Compiled as a part of example/tegg, which declares the events.
import type { Context as EggContext } from 'egg';
import type { EventContext, SocketOf } from 'egg-socket.io';
import { Ack, Args, Context, IoConnect, IoController, IoDisconnect, IoEvent, Socket } from 'egg-socket.io/tegg';
import type { Socket as IoSocket } from 'socket.io';

@IoController({ namespace: '/chat' })
export class Right {
  @IoEvent('say')
  any(@Args(0) _text: string, @Ack() _ack: (id: number) => void, @Socket() _s: IoSocket, @Context() _c: EggContext) {}

  @IoEvent('say')
  precise(@Context() _c: EventContext<'/chat', 'say'>, @Socket() _s: SocketOf<'/chat'>, @Args(0) _text: unknown) {}

  @IoEvent('say')
  all(@Args() _all: [string, (id: number) => void], @Args(0) _text?: string) {}

  @IoEvent('undeclared')
  undeclared(@Args(0) _anything: number, @Args() _all: unknown[]) {}

  @IoDisconnect()
  disconnect(@Args(0) _reason: string) {}

  @IoEvent('*')
  every(@Args() _all: unknown[]) {}
}

@IoController({ namespace: 'chat' })
export class Wrong {
  // @ts-expect-error the text is a string
  @IoEvent('say')
  argument(@Args(0) _text: number) {}

  // @ts-expect-error the answer is a number
  @IoEvent('say')
  ack(@Args(0) _text: string, @Ack() _ack: (answer: string) => void) {}

  // @ts-expect-error also if the parameter is optional
  @IoEvent('say')
  optional(@Args(0) _text?: boolean) {}

  // @ts-expect-error the event has no text
  @IoEvent('history')
  missing(@Args(0) _text: string) {}

  // @ts-expect-error the reason is a string
  @IoDisconnect()
  disconnect(@Args(0) _reason: number) {}

  // @ts-expect-error the event has no arguments
  @IoConnect()
  connect(@Args(0) _reason: number) {}
}

// @ts-expect-error unknown options are refused: a guard would be missing
@IoController({ namespace: '/chat', connectionMiddleware: ['login'] })
export class UnknownOption {}

class NoMiddleware {
  run() {}
}

// @ts-expect-error a class of middleware has a method handle
@IoController({ connection: [NoMiddleware] })
export class WrongMiddleware {}

// @ts-expect-error the options are an object
@IoController('/chat')
export class NoOptions {}
