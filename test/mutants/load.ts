/** The library as one file, with a text in it replaced. */
import { build, type Plugin } from "esbuild"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Library } from "../explore/scenario.js"
import { read, root } from "../utils/source.js"

export interface Patch {
  /** A source, as a path from the root of the project. */
  readonly file: string
  /** What is replaced. It occurs there once. */
  readonly find: string
  readonly replace: string
}

/** A source with the patch applied. */
export const patched = ({ file, find, replace }: Patch): string => {
  const [before, after, ...more] = read(file).split(find)
  if (after === undefined)
    throw new Error(`${file} has moved on: it does not contain what the mutant replaces:\n${find}`)
  if (more.length > 0) throw new Error(`${file} contains what the mutant replaces ${more.length + 1} times:\n${find}`)
  return before + replace + after
}

const patching = (patch: Patch): Plugin => ({
  name: "mutant",
  setup: ({ onLoad }) => {
    // Only that file, since each that is asked for is a message to another process.
    const filter = new RegExp(`/${patch.file.replaceAll(".", "\\.")}$`)
    onLoad({ filter }, () => ({ contents: patched(patch), loader: "ts" }))
  }
})

const entry = `
  export * as effect from "./src/index.ts"
  export * as promise from "./src/promise/index.ts"
  export * as http from "./src/HttpLimits.ts"
  export * as executor from "./src/Executor.ts"
  export * as distributed from "./src/distributed/index.ts"
  export * as promiseDistributed from "./src/promise/distributed/index.ts"
`

const cache = join(root, "node_modules/.cache")
let directory: string | undefined
let count = 0

/** Bundles and imports the library; without a patch, as it is. It has a copy of everything of ours, and shares `effect`. */
export const load = async (patch?: Patch): Promise<Library> => {
  if (directory === undefined) {
    mkdirSync(cache, { recursive: true })
    directory = mkdtempSync(join(cache, "mutants-"))
  }
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir: root, loader: "ts" },
    bundle: true,
    format: "esm",
    packages: "external",
    target: "es2022",
    write: false,
    logLevel: "silent",
    plugins: patch === undefined ? [] : [patching(patch)]
  })
  const file = join(directory, `library-${count++}.mjs`)
  writeFileSync(file, outputFiles[0]!.contents)
  return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Library
}

/** Removes what was bundled. */
export const unload = (): void => {
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  directory = undefined
}
