// Decorated controllers that share a namespace, a base class and injected objects. A module of example/tegg, beside controllers.test.ts.
import { AccessLevel, ContextProto, Inject, LifecycleDestroy, SingletonProto } from 'egg';
import { Ack, Args, IoController, IoEvent } from 'egg-socket.io/tegg';

type Answer = (answer: unknown) => void;

let created = 0;

@ContextProto({ accessLevel: AccessLevel.PUBLIC })
export class PerEvent {
  static readonly open = new Set<number>();
  readonly id = ++created;

  constructor() {
    PerEvent.open.add(this.id);
  }

  @LifecycleDestroy()
  end(): void {
    PerEvent.open.delete(this.id);
  }
}

@SingletonProto()
export class Shared {
  readonly waiting: Array<() => void> = [];
  ended = 0;

  wait(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

abstract class Base {
  @Inject()
  protected readonly perEvent!: PerEvent;

  @Inject()
  protected readonly shared!: Shared;

  @IoEvent('name')
  name(@Ack() ack: Answer): void {
    ack(`${this.constructor.name} of Base`);
  }

  @IoEvent('echo')
  echo(@Args(0) text: string, @Ack() ack: Answer): void {
    ack(text);
  }
}

@IoController({ namespace: '/one' })
export class One extends Base {
  /** Waits until `release`. Answers the ids of its object before and after that. */
  @IoEvent('wait')
  async wait(@Ack() ack: Answer): Promise<void> {
    const { id } = this.perEvent;
    try {
      await this.shared.wait();
    } finally {
      this.shared.ended++;
    }
    ack([id, this.perEvent.id, PerEvent.open.has(id)]);
  }

  override echo(text: string, ack: Answer): void {
    ack(`One: ${text}`);
  }
}

@IoController({ namespace: 'one' })
export class Other {
  @Inject()
  private readonly perEvent!: PerEvent;

  @Inject()
  private readonly shared!: Shared;

  @IoEvent('waiting')
  waiting(): [number, number] {
    return [this.shared.waiting.length, this.shared.ended];
  }

  @IoEvent('release')
  release(): void {
    for (const resolve of this.shared.waiting.splice(0)) resolve();
  }

  @IoEvent('fail')
  fail(): never {
    throw Object.assign(new Error(`no ${this.perEvent.id > 0}`), { status: 400, expose: true });
  }
}

@IoController({ namespace: '/two' })
export class Two extends Base {
  @IoEvent('echo')
  override echo(@Args(0) text: string, @Ack() ack: Answer): void {
    ack(`Two: ${text}`);
  }
}
