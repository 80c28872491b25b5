// Mocha's spec reporter, which also writes the counts and the failures of the run where test/run.cjs reads them, and names the files that a
// dead worker process has taken with it.
const fs = require('node:fs');
const path = require('node:path');
const { Spec } = require('mocha').reporters;

/** Mocha's title for what fails outside of all tests, such as a worker process that has died. */
const OUTSIDE = 'Uncaught error outside test suite';

module.exports = class CountingReporter extends Spec {
  constructor(runner, options) {
    super(runner, options);
    const reported = new Set();
    let failed = false;
    const errors = [];
    runner.on('test end', ({ file }) => reported.add(path.basename(file ?? '')));
    runner.on('fail', (test, err) => {
      failed ||= test.title === OUTSIDE;
      errors.push(`${path.basename(test.file ?? '')}: ${test.fullTitle()}\n${err?.stack ?? err?.message ?? err}`);
    });
    runner.once('end', () => {
      const { passes, failures, pending } = this.stats;
      fs.writeFileSync(process.env.TEST_COUNTS, JSON.stringify({ passes, failures, pending, errors }));
      if (!failed) return;
      const files = process.argv.filter((arg) => arg.endsWith('.test.ts')).map((file) => path.basename(file));
      console.log(`no test was reported of: ${files.filter((file) => !reported.has(file)).join(', ')}`);
    });
  }
};
