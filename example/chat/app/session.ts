// The type of ctx.session, in HTTP requests and in app/io.

export interface Session {
  nickname?: string;
}
