import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const src = fileURLToPath(new URL("./src/", import.meta.url))

export default defineConfig({
  // Node 20 has no `using`.
  esbuild: { target: "es2022" },
  resolve: {
    alias: [
      { find: /^effect-concurrency$/, replacement: `${src}index.ts` },
      { find: /^effect-concurrency\/(promise|testing)$/, replacement: `${src}$1/index.ts` },
      { find: /^effect-concurrency\/(.+)$/, replacement: `${src}$1.ts` }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    slowTestThreshold: 250,
    testTimeout: 30_000,
    // Leak tests collect garbage before they measure.
    poolOptions: { forks: { execArgv: ["--expose-gc"] } },
    // The examples that test/docs.test.ts extracts import the package by its public names.
    server: { deps: { inline: [/\/\.cache\/docs-/] } }
  }
})
