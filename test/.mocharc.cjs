module.exports = {
  require: [require.resolve('./support/register.cjs'), require.resolve('./support/hooks.ts')],
  extension: ['ts'],
  spec: [`${__dirname}/*.test.ts`],
  // Longer than the deadlines of waits (support/wait.ts), whose errors name what was awaited.
  timeout: 120_000,
  exit: true,
};
