import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const src = fileURLToPath(new URL("./src/", import.meta.url))

export default defineConfig({
  // Node 20 has no `using`.
  esbuild: { target: "es2022" },
  resolve: {
    alias: [
      { find: /^effect-concurrency$/, replacement: `${src}index.ts` },
      {
        find: /^effect-concurrency\/(promise|testing|worker|distributed|promise\/distributed)$/,
        replacement: `${src}$1/index.ts`
      },
      { find: /^effect-concurrency\/(.+)$/, replacement: `${src}$1.ts` }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    slowTestThreshold: 250,
    testTimeout: 30_000,
    globalSetup: "test/utils/build.ts",
    // Leak tests collect garbage before they measure.
    // Two at a time also where there are two processors: by default it would be one.
    poolOptions: {
      forks: { execArgv: ["--expose-gc"], minForks: 1, maxForks: Math.max(2, availableParallelism() - 1) }
    },
    // The examples that test/docs.test.ts extracts import the package by its public names.
    server: { deps: { inline: [/\/\.cache\/docs-/] } }
  }
})
