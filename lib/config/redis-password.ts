// Passwords of Redis: they are left out of messages, and of the configuration that Egg writes to run/.

/** A password that is not encoded may contain `/`, `:`, `@` and spaces: it ends at the last `@` of the line. */
const OF_URL = /(\/\/[^:\s]*):.*@/g;
/** Without a scheme it ends at the last `@` of the word. */
const OF_USER = /:(?!\/\/)(?:\S*|[^:@/]*)@/g;

/** Hides passwords in URLs. */
export function withoutPassword(text: string): string {
  return text.replace(OF_URL, '$1:***@').replace(OF_USER, ':***@');
}

/** Options that may contain passwords. Egg excludes by name alone, and does not look into arrays. */
const WITH_PASSWORDS = ['auth_pass', 'sentinelPassword', 'nodes', 'sentinels', 'url'];

/**
 * Excludes passwords from the configuration that Egg writes to run/, also if the boot fails: a URL is no valid option, but a likely
 * mistake. Egg itself excludes `password`.
 */
export function hidePassword(config: object): void {
  const { dump, io } = config as { dump?: { ignore?: unknown }; io?: { redis?: unknown } };
  const redis = io?.redis;
  if (!(dump?.ignore instanceof Set) || redis === undefined || redis === null) return;
  if (typeof redis !== 'object' || Array.isArray(redis)) dump.ignore.add('redis');
  else for (const name of WITH_PASSWORDS) if (name in redis) dump.ignore.add(name);
}
