/**
 * Packs the package and uses it as a stranger would: in empty projects, with and without Effect, under each Node.
 *
 * usage: npm run test:package
 */
import { execFile } from "node:child_process"
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { existsSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { read, root } from "../utils/source.js"
import { majors, nodeOf } from "./nodes.js"
import { budgets, bundle, describeBundle } from "./size.js"

const execute = promisify(execFile)

let passed = 0
let failed = 0

const step = async (name: string, body: () => Promise<string | void>): Promise<void> => {
  try {
    const detail = await body()
    passed++
    console.log(`  ok    ${name}${detail ? `: ${detail}` : ""}`)
  } catch (error) {
    failed++
    // A command's message ends with what it wrote to stderr.
    const { message, stdout = "" } = error as Error & { stdout?: string }
    console.log(`  FAIL  ${name}\n${message}\n${stdout}`.trimEnd())
  }
}

const run = (cwd: string, command: string, ...args: ReadonlyArray<string>) =>
  execute(command, args, { cwd, timeout: 300_000, maxBuffer: 1 << 26 })

const tool = (name: string): string => join(root, "node_modules/.bin", name)

const work = await mkdtemp(join(tmpdir(), "effect-concurrency-"))

/** An empty project with the packed package in it. */
const project = async (name: string, ...install: ReadonlyArray<string>): Promise<string> => {
  const directory = join(work, name)
  await mkdir(directory)
  await writeFile(join(directory, "package.json"), JSON.stringify({ name, private: true, type: "module" }))
  await run(directory, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock", ...install)
  await cp(join(root, "test/package/consumers"), directory, { recursive: true })
  return directory
}

/** A package that is not installed: folders further up may have it. What is found first is this, which exports nothing. */
const hide = async (directory: string, name: string): Promise<void> => {
  const folder = join(directory, "node_modules", name)
  await mkdir(folder)
  await writeFile(join(folder, "package.json"), JSON.stringify({ name, exports: {} }))
}

/** Runs a consumer, which must exit with 0 and close with "ok"; what it prints besides can be said. */
const consume = async (directory: string, node: string, file: string, prints = /^/): Promise<void> => {
  const { stdout } = await run(directory, node, file)
  if (stdout.trimEnd().split("\n").at(-1) !== "ok") throw new Error(`${file} did not reach its end: ${stdout}`)
  if (!prints.test(stdout)) throw new Error(`${file} did not print ${String(prints)}: ${stdout}`)
}

try {
  console.log("the tarball")
  const packed = await run(root, "npm", "pack", "--json", "--pack-destination", work)
  const json = packed.stdout.slice(packed.stdout.indexOf("["))
  const [{ entryCount, filename, files, size }] = JSON.parse(json) as [
    { entryCount: number; filename: string; size: number; files: ReadonlyArray<{ path: string }> }
  ]
  const tarball = join(work, filename)
  await step("contents", async () => {
    const strange = files
      .map(({ path }) => path)
      .filter((path) => !/^(dist|src)\/|^[A-Z]+(\.md)?$|^package\.json$/.test(path))
    if (strange.length > 0) throw new Error(`unexpected files: ${strange.join(", ")}`)
    for (const path of ["dist/index.js", "dist/promise/index.d.ts", "src/index.ts", "LICENSE", "README.md"]) {
      if (!files.some((file) => file.path === path)) throw new Error(`${path} is missing`)
    }
    return `${entryCount} files, ${size} bytes`
  })
  await step("publint", async () => void (await run(root, tool("publint"), "run", tarball, "--strict")))
  await step("arethetypeswrong", async () => void (await run(root, tool("attw"), tarball, "--profile", "esm-only")))

  console.log("installed")
  const { devDependencies } = JSON.parse(read("package.json")) as { devDependencies: Record<string, string> }
  const withEffect = await project("with-effect", tarball, `effect@${devDependencies["effect"]}`)
  const withPlatform = await project(
    "with-platform",
    tarball,
    `effect@${devDependencies["effect"]}`,
    `@effect/platform@${devDependencies["@effect/platform"]}`
  )
  await step("effect-concurrency/HttpLimits, with its peer", () => consume(withPlatform, process.execPath, "http.js"))
  const alone = await project("without-effect", tarball, "--omit=peer")
  await step("the second project is without Effect", async () => {
    const effect = join(alone, "node_modules/effect")
    if (existsSync(effect)) throw new Error("effect was installed")
    await hide(alone, "effect")
    await consume(alone, process.execPath, "alone.js")
  })
  const withRedis = await project(
    "with-redis",
    tarball,
    `effect@${devDependencies["effect"]}`,
    `ioredis@${devDependencies["ioredis"]}`,
    `@effect/platform@${devDependencies["@effect/platform"]}`,
    `@effect/experimental@${devDependencies["@effect/experimental"]}`
  )
  await step("effect-concurrency/redis/experimental, with its peers", () =>
    consume(withRedis, process.execPath, "experimental.js")
  )
  await hide(withEffect, "ioredis")
  await hide(alone, "ioredis")
  const missing = /the package ioredis \(version 5\) cannot be loaded/
  const refused = /the server could not be reached/
  for (const major of majors) {
    const node = nodeOf(major)
    await step(`Node ${major}: effect-concurrency/redis, with its peer`, () =>
      consume(withRedis, node, "redis.js", refused)
    )
    await step(`Node ${major}: effect-concurrency/promise/redis, with its peer`, () =>
      consume(withRedis, node, "redisPromise.js", refused)
    )
    await step(`Node ${major}: effect-concurrency/redis says what is missing`, () =>
      consume(withEffect, node, "redis.js", missing)
    )
    await step(`Node ${major}: effect-concurrency/promise/redis, without Effect, says what is missing`, () =>
      consume(alone, node, "redisPromise.js", missing)
    )
    await step(`Node ${major}: effect-concurrency`, () => consume(withEffect, node, "effect.js"))
    await step(`Node ${major}: effect-concurrency/promise`, () => consume(withEffect, node, "promise.js"))
    await step(`Node ${major}: effect-concurrency/testing`, () => consume(withEffect, node, "testing.js"))
    await step(`Node ${major}: effect-concurrency/promise without Effect`, () => consume(alone, node, "promise.js"))
    await step(`Node ${major}: internals are refused`, () => consume(withEffect, node, "refused.js"))
  }

  console.log("types")
  for (const compiler of ["typescript", "typescript-5"]) {
    const home = join(root, "node_modules", compiler)
    const { version } = JSON.parse(await readFile(join(home, "package.json"), "utf8")) as { version: string }
    for (const [module, resolution] of [
      ["nodenext", "nodenext"],
      ["esnext", "bundler"]
    ]) {
      await step(`TypeScript ${version}, ${resolution}`, async () => {
        const compilerOptions = {
          module,
          moduleResolution: resolution,
          target: "es2022",
          lib: ["es2022", "dom", "esnext.disposable"],
          types: [],
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true
        }
        const config = JSON.stringify({ compilerOptions, files: ["types.ts"] })
        await writeFile(join(withEffect, "tsconfig.json"), config)
        await run(withEffect, process.execPath, join(home, "bin/tsc"), "-p", ".")
      })
    }
  }

  console.log("bundled")
  for (const { limit, names } of budgets) {
    await step(`${names.join(", ")}, limit ${limit}`, async () => {
      const result = await bundle(names, alone)
      if (result.gzipped >= limit) throw new Error(describeBundle(result))
      return `${result.gzipped} bytes gzipped, ${result.minified} minified`
    })
  }
} finally {
  await rm(work, { recursive: true, force: true })
}

console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
