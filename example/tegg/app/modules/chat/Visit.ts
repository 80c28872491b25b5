import { AccessLevel, ContextProto, Inject, LifecycleDestroy, type Logger } from 'egg';

/** What happens to one client in one event. tegg creates an object for each event, and destroys it when the event has ended. */
@ContextProto({ accessLevel: AccessLevel.PUBLIC })
export class Visit {
  static open = 0;

  @Inject()
  private readonly logger!: Logger;

  readonly started = Date.now();

  constructor() {
    Visit.open++;
  }

  note(what: string): void {
    this.logger.info('%s after %d ms', what, Date.now() - this.started);
  }

  @LifecycleDestroy()
  end(): void {
    Visit.open--;
  }
}
