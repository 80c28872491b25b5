module.exports = {
  require: [require.resolve('./support/register.cjs'), require.resolve('./support/hooks.ts')],
  extension: ['ts'],
  spec: [`${__dirname}/*.test.ts`],
  timeout: 30_000,
  exit: true,
};
