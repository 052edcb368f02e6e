import { existsSync } from "node:fs"
import { basename, dirname, join, posix } from "node:path"
import { describe, expect, it } from "vitest"
import { codeOnly, filesIn, importsOf, read, root, withoutComments } from "./utils/source.js"

const sources = filesIn("src")
const isModule = (file: string): boolean => dirname(file) === "src" && file !== "src/index.ts"
const modules = sources.filter(isModule)
const services = sources.filter((file) => /^src\/distributed\/Distributed\w+\.ts$/.test(file))
const cores = sources.filter((file) => file.startsWith("src/core/"))

/** Modules with an entry of their own and not in the index: what they import need not be installed for the rest. */
const apart = new Set(["src/Executor.ts", "src/HttpLimits.ts", "src/NodeExecutor.ts", "src/redis.ts"])

/** Modules whose facade has an entry of its own, too. */
const twice = new Set(["src/redis.ts"])

/** Layers for one platform of a module that has the facade, and the tests. */
const platforms = new Set(["src/NodeExecutor.ts"])

/** Where an import points: a source file, or the name of a package. */
const target = (file: string, specifier: string): string =>
  specifier.startsWith(".") ? posix.join(dirname(file), specifier).replace(/\.js$/, ".ts") : packageOf(specifier)

const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

const edges = sources.flatMap((file) =>
  importsOf(read(file)).map(({ specifier, typeOnly }) => ({ file, typeOnly, to: target(file, specifier) }))
)

type Edge = (typeof edges)[number]

const layerOf = (file: string): string => {
  const [, folder, rest] = file.split("/")
  return rest === undefined ? "modules" : folder!
}

const isEffect = (to: string): boolean => to === "effect" || inLayers(to, "modules", "internal")

/** run.ts, and the task patterns that are built on it. */
const runsEffects = (file: string): boolean =>
  file === "src/promise/run.ts" || edges.some((edge) => edge.file === file && edge.to === "src/promise/run.ts")

const inLayers = (to: string, ...layers: ReadonlyArray<string>): boolean =>
  to.startsWith("src/") && layers.includes(layerOf(to))

/** The import table of the design: layer → what it may import. */
const allowed: Record<string, (edge: Edge) => boolean> = {
  core: ({ to }) => inLayers(to, "core"),
  internal: ({ to }) => to === "effect" || inLayers(to, "core", "internal"),
  modules: ({ file, to }) =>
    to === "effect" ||
    (to === "@effect/platform" && apart.has(file)) ||
    (to === "@effect/platform-node" && platforms.has(file)) ||
    (file === "src/redis.ts" && inLayers(to, "redis", "distributed")) ||
    inLayers(to, "core", "internal", "modules", "worker"),
  // What runs in a worker. It starts without Effect, and loads it when a function returned an effect.
  worker: ({ file, to, typeOnly }) =>
    inLayers(to, "core", "worker") ||
    (to === "effect" && (typeOnly || ["src/worker/contract.ts", "src/worker/effects.ts"].includes(file))),
  promise: ({ file, to, typeOnly }) =>
    inLayers(to, "core", "promise", "worker") ||
    (file === "src/promise/redis.ts" && inLayers(to, "redis")) ||
    typeOnly ||
    (isEffect(to) && runsEffects(file)),
  distributed: ({ to }) => to === "effect" || inLayers(to, "core", "internal", "modules", "distributed"),
  // Neither Effect nor a driver, so that both skins use it: it is handed one, or loads it.
  redis: ({ file, to }) =>
    inLayers(to, "core", "redis") ||
    // The only clock beside those of the skins.
    to === "src/promise/clock.ts" ||
    (to === "ioredis" && file === "src/redis/ioredis.ts") ||
    // For users of another package: it has an entry of its own.
    (file === "src/redis/experimental.ts" &&
      (["effect", "@effect/experimental", "src/redis.ts"].includes(to) || inLayers(to, "internal"))),
  testing: ({ to }) => to === "effect" || to === "fast-check" || inLayers(to, "core", "internal", "testing")
}

/** The first cycle found, as the list of its files. */
const findCycle = (graph: ReadonlyArray<Edge>): ReadonlyArray<string> | undefined => {
  const done = new Set<string>()
  const visit = (file: string, path: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const { to } of graph.filter((edge) => edge.file === file)) {
      const cycle = visit(to, [...path, file])
      if (cycle !== undefined) return cycle
    }
    done.add(file)
    return undefined
  }
  for (const file of sources) {
    const cycle = visit(file, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}

const offenders = (files: ReadonlyArray<string>, pattern: RegExp): ReadonlyArray<string> =>
  files.flatMap((file) => Array.from(codeOnly(read(file)).matchAll(pattern), ([found]) => `${file}: ${found}`))

describe("imports", () => {
  it("are found at all", () => {
    expect(edges).toContainEqual({ file: "src/Mutex.ts", to: "src/Semaphore.ts", typeOnly: true })
    expect(edges).toContainEqual({ file: "src/Mutex.ts", to: "src/core/mutex.ts", typeOnly: false })
    expect(edges).toContainEqual({ file: "src/internal/park.ts", to: "effect", typeOnly: false })
  })

  it("lead to files that are there", () => {
    const lost = edges.filter(({ to }) => to.startsWith("src/") && !sources.includes(to))
    expect(lost).toEqual([])
  })

  it("follow the import table", () => {
    const forbidden = edges.filter((edge) => edge.to === "effect-concurrency" || !allowed[layerOf(edge.file)]?.(edge))
    expect(forbidden.map(({ file, to }) => `${file} imports ${to}`)).toEqual([])
  })

  it("of values have no cycle", () => {
    expect(findCycle(edges.filter(({ typeOnly }) => !typeOnly))).toBeUndefined()
  })

  it("of Effect modules have no cycle, types included", () => {
    expect(findCycle(edges.filter(({ file, to }) => isModule(file) && isModule(to)))).toBeUndefined()
  })

  it("of a driver for Redis are in one place, and only when it is needed", () => {
    const drivers = edges.filter(({ to }) => ["ioredis", "redis"].includes(to))
    expect(drivers).toEqual([{ file: "src/redis/ioredis.ts", to: "ioredis", typeOnly: false }])
    expect(read("src/redis/ioredis.ts")).toMatch(/\bimport\("ioredis"\)/)
  })

  it("of benchmarks and examples are the package's public names", () => {
    const files = [...filesIn("test/bench"), ...filesIn("scratchpad")]
    const forbidden = files.flatMap((file) =>
      importsOf(read(file))
        .map(({ specifier }) => ({ specifier, to: target(file, specifier) }))
        .filter(({ specifier, to }) =>
          specifier.startsWith(".")
            ? to.startsWith("src/") || to.startsWith("dist/")
            : /^effect-concurrency\/(core|internal|promise\/(?!(distributed|redis)$)|redis\/(?!experimental$)|distributed\/)/.test(
                specifier
              )
        )
        .map(({ specifier }) => `${file} imports ${specifier}`)
    )
    expect(forbidden).toEqual([])
  })
})

describe("seams", () => {
  it("a core has no clock, timer, randomness, promise, or console", () => {
    const impure =
      /\b(Date|performance|Math\.random|crypto|setTimeout|setInterval|setImmediate|queueMicrotask|Promise|async|await|console|process)\b/g
    expect(offenders(cores, impure)).toEqual([])
  })

  it("nothing reads a clock or rolls dice outside the seams", () => {
    const others = sources.filter(
      (file) =>
        !["src/testing/seams.ts", "src/promise/clock.ts", "src/promise/random.ts", "src/worker/node.ts"].includes(file)
    )
    expect(offenders(others, /\b(Date\.now|new Date|performance\.now|process\.hrtime|Math\.random)\b/g)).toEqual([])
  })

  it("Node's own modules are reached in one place", () => {
    const others = sources.filter((file) => file !== "src/worker/node.ts")
    expect(offenders(others, /\bgetBuiltinModule\b/g)).toEqual([])
    expect(edges.filter(({ to }) => to.startsWith("node:"))).toEqual([])
  })

  it("an Effect is run for a promise caller in one place", () => {
    const others = sources.filter(
      (file) =>
        ![
          "src/internal/effect.ts",
          "src/promise/run.ts",
          // Its own functions have these names.
          "src/SyncBridge.ts",
          "src/testing/world.ts",
          // In a worker, and where one is called: an effect is what a function there returned.
          "src/worker/contract.ts",
          "src/worker/effects.ts"
        ].includes(file)
    )
    expect(offenders(others, /\b((Effect|Runtime|ManagedRuntime)\.run\w*|run(Fork|Promise|Sync)\w*(?=\())/g)).toEqual(
      []
    )
  })

  it("a ticket suspends a fiber in one place, and a promise in one place", () => {
    const tickets = sources.filter((file) => /\bclass \w+.* extends Ticket\b/.test(codeOnly(read(file))))
    expect(tickets).toEqual(["src/internal/park.ts", "src/promise/park.ts"])
  })

  // Who decides otherwise what waking means goes past those two places, so there has to be a reason.
  it("few tickets are woken in a way of their own", () => {
    const own = sources.filter((file) => /\boverride wake\(\)/.test(codeOnly(read(file))))
    expect(own).toEqual([
      "src/RateLimiter.ts", // tells those who wait for a reservation
      "src/Timeout.ts", // interrupts its work
      "src/internal/iterate.ts", // the one promise on the Effect side: an async iterator's answer
      "src/internal/task.ts", // interrupts a worker, runs a callback
      "src/internal/worker.ts", // interrupts a worker
      "src/promise/RateLimiter.ts", // tells those who wait for a reservation
      "src/promise/Task.ts", // aborts a signal
      "src/promise/TaskGroup.ts", // aborts a member
      "src/promise/Timeout.ts" // aborts a function
    ])
  })
})

describe("cores", () => {
  const header = (file: string): string => /^\/\*\*[\s\S]*?\*\//.exec(read(file))?.[0] ?? ""
  const invariants = (file: string): ReadonlyArray<string> =>
    Array.from(header(file).matchAll(/^ \* - (I\d+)\b/gm), ([, name]) => name!)

  it.each(cores)("%s opens with what it is", (file) => {
    expect(header(file)).not.toBe("")
    if (invariants(file).length === 0) return
    for (const heading of ["State", "Invariants", "Transitions"]) {
      expect(header(file)).toMatch(new RegExp(`^ \\* ${heading}:`, "m"))
    }
  })

  it.each(cores)("%s says what holds for its state", (file) => {
    if (!/^export (interface|class|type) (State|WaitList|Ticket)\b/m.test(read(file))) return
    expect(header(file)).toMatch(/State(, invariants and transitions are those of|:)/)
  })

  it.each(cores)("%s numbers its invariants from I1", (file) => {
    expect(invariants(file)).toEqual(invariants(file).map((_, index) => `I${index + 1}`))
  })

  it.each(cores.filter((file) => invariants(file).length > 0))("%s has a test that cites each invariant", (file) => {
    const test = `test/core/${basename(file, ".ts")}.test.ts`
    expect(existsSync(join(root, test)), `${test} exists`).toBe(true)
    const text = read(test)
    expect(invariants(file).filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([])
  })
})

describe("modules", () => {
  it.each(modules.filter((file) => !platforms.has(file)))("%s has its facade and its test", (file) => {
    const stem = basename(file, ".ts")
    const missing = [`src/promise/${stem}.ts`, `test/${stem}.test.ts`].filter((other) => !existsSync(join(root, other)))
    expect(missing).toEqual([])
  })

  it.each(services)("%s has its facade, and both are exported", (file) => {
    const stem = basename(file, ".ts")
    expect(existsSync(join(root, `src/promise/distributed/${stem}.ts`))).toBe(true)
    expect(read("src/distributed/index.ts")).toContain(`export * as ${stem} from "./${stem}.js"`)
    expect(read("src/promise/distributed/index.ts")).toContain(`from "./${stem}.js"`)
  })

  it.each(modules)("%s is exported by both index files, unless it stands apart", (file) => {
    const stem = basename(file, ".ts")
    const line = `export * as ${stem} from "./${stem}.js"`
    expect(read("src/index.ts").includes(line)).toBe(!apart.has(file))
    expect(read("src/promise/index.ts").includes(`from "./${stem}.js"`)).toBe(!platforms.has(file) && !twice.has(file))
  })

  const indices = [
    "src/index.ts",
    "src/promise/index.ts",
    "src/testing/index.ts",
    "src/distributed/index.ts",
    "src/promise/distributed/index.ts"
  ]
  it.each(indices)("%s only re-exports", (file) => {
    const reexport = /\s*export (type )?(\*( as \w+)?|\{[^}]*\}) from "\.{1,2}\/[\w./]+\.js";?/g
    expect(withoutComments(read(file)).replace(reexport, "").trim()).toBe("")
  })
})
