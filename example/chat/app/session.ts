// What ctx.session holds, in HTTP requests and in app/io.

export interface Session {
  nickname?: string;
}
