// The private and undocumented members of other libraries that the plugin uses, and the check of the installed versions. Each file of
// lib/internals lists the members that it touches.

/** Objects of the installed libraries, made at boot without a network. Members are looked up on them. */
export interface Sample {
  /** The application. */
  readonly app: object;
  /** A Socket.IO server. */
  readonly server: object;
  /** Its namespace `/`. */
  readonly namespace: object;
  /** A parent namespace of it. */
  readonly parentNamespace: object;
  /** Socket.IO's side of a connection. */
  readonly client: object;
  /** A socket of that connection in `/`. */
  readonly socket: object;
  /** An Engine.IO server. */
  readonly engine: object;
  /** A transport for long-polling. */
  readonly transport: object;
  /** A transport for WebSocket. */
  readonly webSocket: object;
  /** A ClusterAdapter. */
  readonly clusterAdapter: object;
  /** A SessionAwareAdapter. */
  readonly recoveryAdapter: object;
}

/** A private or undocumented member of a library. */
export interface Member {
  /** The npm package that has the member. */
  readonly library: string;
  /** Its place, for messages: `Socket.prototype.dispatch`. */
  readonly path: string;
  /** `typeof` its value. */
  readonly type: 'function' | 'object' | 'string' | 'number';
  /** Looks the member up. */
  readonly find: (sample: Sample) => unknown;
  /** What the plugin does without it, as a clause. A member without a fallback is required. */
  readonly fallback?: string;
}

/** Looks up a property, whatever the type of the object is. */
export function property(object: object | undefined, name: string): unknown {
  return (object as Record<string, unknown> | undefined)?.[name];
}

/** Returns the members that the installed versions lack, or that have another type there. */
export function missing(members: readonly Member[], sample: Sample): Member[] {
  return members.filter(({ find, type }) => {
    const value = find(sample);
    return value === null || typeof value !== type;
  });
}
