import base from "../../vitest.config.js"

/** The tests that mutants of the cores have to survive: those of the cores alone, which is what makes a run of minutes. */
export default {
  ...base,
  test: {
    ...base.test,
    include: ["test/core/**/*.test.ts"]
  }
}
