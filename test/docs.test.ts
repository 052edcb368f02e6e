import { execFile } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { pathToFileURL } from "node:url"
import { format, promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { filesIn, importsOf, read, root } from "./utils/source.js"

const run = promisify(execFile)

interface Example {
  /** `file:line`. */
  readonly where: string
  readonly code: string
}

const lineOf = (text: string, index: number): number => text.slice(0, index).split("\n").length

/** What follows an `@example` tag: a fenced block, or everything up to the next tag. */
const inComments = (file: string): ReadonlyArray<Example> => {
  const text = read(file)
  return Array.from(text.matchAll(/@example\b[^\n]*\n([\s\S]*?)(?=\n\s*\* @\w|\*\/)/g), (match) => {
    const body = match[1]!.replaceAll(/^\s*\* ?/gm, "")
    return { where: `${file}:${lineOf(text, match.index)}`, code: /^```\w*\n([\s\S]*?)^```/m.exec(body)?.[1] ?? body }
  })
}

const inFences = (file: string): ReadonlyArray<Example> => {
  const text = read(file)
  return Array.from(text.matchAll(/^```(?:ts|typescript)\b[^\n]*\n([\s\S]*?)^```/gm), (match) => ({
    where: `${file}:${lineOf(text, match.index)}`,
    code: match[1]!
  }))
}

const documents = ["README.md", "CONTRIBUTING.md"].filter((file) => existsSync(join(root, file)))
const examples = [...filesIn("src").flatMap(inComments), ...documents.flatMap(inFences)]

/** The text behind each `console.log(…) // =>`, in order. */
const promised = (code: string): ReadonlyArray<string> =>
  Array.from(code.matchAll(/^.*\bconsole\.log\(.*\/\/ => ?(.*)$/gm), ([, text]) => text!.trimEnd())

mkdirSync(join(root, "node_modules/.cache"), { recursive: true })
const directory = mkdtempSync(join(root, "node_modules/.cache/docs-"))
const fileOf = (index: number): string => join(directory, `example-${index}.ts`)

beforeAll(() => {
  examples.forEach(({ code, where }, index) => writeFileSync(fileOf(index), `// ${where}\n${code}\nexport {}\n`))
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe("examples", () => {
  it("are found", () => {
    expect(examples.length).toBeGreaterThan(0)
    const tags = filesIn("src").reduce((sum, file) => sum + (read(file).match(/@example\b/g)?.length ?? 0), 0)
    expect(examples.filter(({ where }) => where.startsWith("src/"))).toHaveLength(tags)
  })

  it.each(examples.map((example, index) => ({ ...example, index })))(
    "$where prints what it says",
    async ({ code, index }) => {
      expect(promised(code), "an example says what it prints: console.log(x) // => text").not.toEqual([])
      const printed: Array<string> = []
      const log = vi.spyOn(console, "log").mockImplementation((...args) => void printed.push(format(...args)))
      try {
        await import(/* @vite-ignore */ pathToFileURL(fileOf(index)).href)
      } finally {
        log.mockRestore()
      }
      expect(printed).toEqual(promised(code))
    }
  )

  it("have the right types", async () => {
    const config = {
      extends: "../../../tsconfig.json",
      compilerOptions: {
        noUnusedLocals: false,
        paths: {
          "effect-concurrency": ["../../../src/index.ts"],
          "effect-concurrency/promise": ["../../../src/promise/index.ts"],
          "effect-concurrency/testing": ["../../../src/testing/index.ts"],
          "effect-concurrency/worker": ["../../../src/worker/index.ts"],
          "effect-concurrency/distributed": ["../../../src/distributed/index.ts"],
          "effect-concurrency/promise/distributed": ["../../../src/promise/distributed/index.ts"],
          "effect-concurrency/*": ["../../../src/*.ts"]
        }
      },
      include: ["*.ts"]
    }
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(config))
    const tsc = join(root, "node_modules/typescript/bin/tsc")
    const errors = await run(process.execPath, [tsc, "-p", directory]).then(
      () => "",
      (error: { stdout: string }) => error.stdout
    )
    expect(errors.replaceAll(/\S*example-(\d+)\.ts/g, (_, index) => examples[Number(index)]!.where)).toBe("")
  })
})

describe("tour", () => {
  const all = filesIn("scratchpad/tour")
  // What the others import is a part of them, not a stop of the tour; run.ts goes to each.
  const helpers = all.flatMap((file) => importsOf(read(file)).map(({ specifier }) => basename(specifier, ".js")))
  const files = all.filter((file) => !["run", ...helpers].includes(basename(file, ".ts")))

  it("has files", () => {
    expect(files).not.toEqual([])
  })

  // In one process: most of what a file takes alone is to compile the sources.
  let printed = ""
  beforeAll(async () => {
    const tour = await run(process.execPath, ["--import", "tsx", "scratchpad/tour/run.ts"], { cwd: root })
    printed = tour.stdout
  }, 120_000)

  it.each(files)("%s says what it did, under its question", (file) => {
    const question = /^title\(\s*"([^"]*)"/m.exec(read(file))?.[1]
    expect(question, "a file has a title").toBeDefined()
    const [, below = ""] = printed.split(`\n${question}\n`)
    expect(below.split("\n\n", 1)[0]!.split("\n").slice(1), below).not.toEqual([])
  })
})
