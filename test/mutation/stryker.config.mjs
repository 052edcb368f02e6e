/** What survives, and why, is in ../README.md. */
export default {
  mutate: ["src/core/*.ts"],
  testRunner: "vitest",
  vitest: { configFile: "test/mutation/vitest.config.ts" },
  plugins: ["@stryker-mutator/vitest-runner"],
  coverageAnalysis: "perTest",
  concurrency: 2,
  thresholds: { high: 95, low: 90, break: 90 },
  // What the tests of the cores do not need.
  ignorePatterns: ["/dist", "/scratchpad", "/test/bench", "/test/package", "/test/types"],
  tempDirName: ".stryker/sandbox",
  reporters: ["clear-text", "progress", "html", "json"],
  clearTextReporter: { reportTests: false },
  htmlReporter: { fileName: ".stryker/report.html" },
  jsonReporter: { fileName: ".stryker/report.json" },
  // On top of one and a half times what the tests take. A good part of a run is spent waiting for loops that do not end.
  timeoutMS: 2000,
  // Stryker would rewrite tsconfig.json with a function that TypeScript 7 no longer has; nothing in it needs rewriting.
  tsconfigFile: "none"
}
