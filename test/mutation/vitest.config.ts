import base from "../../vitest.config.js"

/** The tests that mutants of the cores have to survive: those of the cores alone, which is what makes a run of minutes. */
export default {
  ...base,
  test: {
    ...base.test,
    // They start no worker, so nothing has to be compiled; and what Stryker has changed cannot be.
    globalSetup: [],
    include: ["test/core/**/*.test.ts"]
  }
}
