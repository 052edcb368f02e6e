/** The example program as its users meet it: a process with arguments, output, exit codes and Ctrl-C. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Layer } from "effect"
import { Debounce } from "effect-concurrency"
import { DistributedRateLimiter } from "effect-concurrency/distributed"
import { build } from "esbuild"
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { askOnce } from "../scratchpad/link-check/mirrors.js"
import { Options, parse, UserError } from "../scratchpad/link-check/options.js"
import { emptyResults, writeJson } from "../scratchpad/link-check/report.js"
import { MirrorsLive } from "../scratchpad/link-check/server.js"
import {
  Arrivals,
  Mirrors,
  Pages,
  Progress,
  RequestRate,
  RequestRetry,
  RequestSlots,
  RequestTime
} from "../scratchpad/link-check/services.js"
import { Shared } from "../scratchpad/link-check/shared.js"
import { ProgressLine } from "../scratchpad/link-check/terminal.js"
import { connect } from "../src/redis/connect.js"
import type { Connection } from "../src/redis/connection.js"
import { RedisDeliveries } from "../src/redis/deliveries.js"
import { describeRedis, RedisServer } from "./utils/redis.js"

const repository = fileURLToPath(new URL("..", import.meta.url))

interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** The process group: whatever the run started and left behind is in it. */
  readonly group: number
  /** From the signal to the exit. */
  readonly millisecondsToStop: number
}

interface When {
  /** What is done to it, when its output first contains a text. */
  readonly when?: string
  readonly act?: (group: number) => void
}

/** As a terminal does it. */
const ctrlC = (group: number): unknown => process.kill(-group, "SIGINT")

/** As its users start it. */
const source = ["--import", "tsx", "scratchpad/link-check/main.ts"]

/** The same as one file: it starts in a fifth of the time. */
const bundle = async (): Promise<{ readonly program: ReadonlyArray<string>; readonly remove: () => Promise<void> }> => {
  // What is resolved while it runs is found from here.
  const cache = join(repository, "node_modules/.cache")
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, "link-check-"))
  const file = join(folder, "main.mjs")
  await build({
    absWorkingDir: repository,
    entryPoints: ["scratchpad/link-check/main.ts"],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "es2022",
    logLevel: "error",
    // For those of the packages that are CommonJS.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url)' }
  })
  return { program: [file], remove: () => rm(folder, { recursive: true, force: true }) }
}

/** Runs the program, in a process group of its own. */
const linkCheck = (
  args: ReadonlyArray<string>,
  { act = ctrlC, when }: When = {},
  program: ReadonlyArray<string> = source
): Promise<Run> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...program, ...args], {
      cwd: repository,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    let signalled: number | undefined
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      if (signalled === undefined && when !== undefined && stdout.includes(when)) {
        signalled = performance.now()
        act(child.pid!)
      }
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.on("error", reject)
    child.on("close", (code) =>
      resolve({
        code,
        stdout,
        stderr,
        group: child.pid!,
        millisecondsToStop: performance.now() - (signalled ?? Number.NaN)
      })
    )
  })

const isAlive = (group: number): boolean => {
  try {
    process.kill(-group, 0)
    return true
  } catch {
    return false
  }
}

/** tsx has a compiler process, which follows a moment later. */
const gone = (group: number) => vi.waitFor(() => expect(isAlive(group)).toBe(false), { timeout: 2000 })

const files: Record<string, string> = {
  "good.md": `# Setup

See [setup](#setup), [its twin](#setup-1), [the other](docs/other.md), [a part](docs/other.md#part-two),
[by reference][other], [HTML](#by-name) and <img src="docs/pic.svg" alt="">.

## Setup

<a name="by-name"></a>
\`[not a link](in-code.md)\`

[other]: docs/other.md#written-in-html "with a title"
`,
  "docs/other.md": `[up](../good.md) ![picture](pic.svg) [escaped](with%20space.md) [folder](..) [top](#) [root](/good.md?plain=1#SETUP)

# The \`code\` & *more* ![icon](pic.svg)

[itself](#the-code--more-)

Part two
--------

<h2>Written in HTML</h2>

<p id="page">text</p>

[page](page.html#deep) [lines](pic.svg#L3)
`,
  "docs/with space.md": "A footnote.[^1]\n\n[^1]: word\n",
  "docs/page.html": '<p id="deep">deep</p>',
  "docs/pic.svg": "<svg></svg>",
  "docs/ignored.txt": "[not Markdown](nowhere.md)",
  "docs/broken.md": `# Broken

[file](missing.md)
text [anchor
over two lines](other.md#nowhere) and \`code
over two\` [third](#setup-2)

| a            |
| ------------ |
| [cell][ref] |

<p>
  <a
    href="gone.html">gone</a>
</p>

- ![image](no/such.png)

[out](../../outside.md) [twice](missing.md) [twin](../good.md#setup-2) []()

[ref]: missing-by-reference.md
`,
  "external.md": `<https://example.com/a> https://example.com/b [c](http://example.com/c)
[mail](mailto:a@example.com) [d](//example.com/d) <img src="https://example.com/e.png"> ![data](data:image/png;base64,AA)
`,
  ".git/hidden.md": "[not ours](nowhere.md)"
}

/** The files, in a folder of their own, and one beside it. */
const makeFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "link-check-"))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, "site", name)), { recursive: true })
    await writeFile(join(folder, "site", name), text)
  }
  await writeFile(join(folder, "outside.md"), "there, but not ours")
  return folder
}

const silent = Layer.scoped(
  ProgressLine,
  Debounce.make(() => Effect.void, { wait: 0 })
)

/** What asks the mirrors, and is asked. Where the rate is kept is left open. */
const live = Layer.merge(MirrorsLive, NodeHttpClient.layerUndici).pipe(
  Layer.provideMerge(
    Layer.mergeAll(
      silent,
      Pages.layer,
      Progress.layer,
      RequestSlots.layer,
      RequestRate.layer,
      RequestTime.layer,
      RequestRetry.layer
    )
  )
)

// Each run spends most of its time loading: side by side they take half as long.
describe.concurrent("link-check", { timeout: 60_000 }, () => {
  let folder: string
  beforeAll(async () => void (folder = await makeFolder()))
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it("names every broken link by file and line, lists the external ones, and exits 1 because of --strict", async ({
    expect
  }) => {
    const json = join(folder, "report.json")
    const run = await linkCheck([join(folder, "site"), "--strict", "--json", json, "--requests", "2"])
    expect(run).toMatchObject({ code: 1, stderr: "" })

    const report = JSON.parse(await readFile(json, "utf8"))
    const place = ({ file, href, line }: { file: string; href: string; line: number }) => `${file}:${line} ${href}`
    expect(report.broken.map((link: any) => `${place(link)} ${link.reason}`)).toEqual([
      "docs/broken.md:3 missing.md does not exist",
      'docs/broken.md:4 other.md#nowhere has no anchor "nowhere"',
      'docs/broken.md:6 #setup-2 has no anchor "setup-2"',
      "docs/broken.md:10 missing-by-reference.md does not exist",
      "docs/broken.md:13 gone.html does not exist",
      "docs/broken.md:17 no/such.png does not exist",
      "docs/broken.md:19  is empty",
      "docs/broken.md:19 ../../outside.md is outside the folder",
      'docs/broken.md:19 ../good.md#setup-2 has no anchor "setup-2"',
      "docs/broken.md:19 missing.md does not exist"
    ])
    expect(report.externalLinks.map(place)).toEqual([
      "external.md:1 http://example.com/c",
      "external.md:1 https://example.com/a",
      "external.md:1 https://example.com/b",
      "external.md:2 //example.com/d",
      "external.md:2 https://example.com/e.png",
      "external.md:2 mailto:a@example.com"
    ])
    expect(report).toMatchObject({ interrupted: false, files: 5, unread: 0, unreadable: [], peakInFlight: 2 })
    expect(report.links).toBe(report.local + report.external)
    expect(report.checked).toBe(report.local)
    expect(report.requests).toBeLessThan(report.local)
    expect(report.answers).toHaveLength(2)
    expect(report.answers[0] + report.answers[1]).toBe(report.requests)
    expect(report.peakQueue).toBeGreaterThan(0)

    expect(run.stdout).toContain("docs/broken.md:3  missing.md  does not exist\n")
    expect(run.stdout).toMatch(/^ {2}broken +10$/m)
    await gone(run.group)
  })

  it("finds the same whether files are parsed in place or in threads, with --threads", async ({ expect }) => {
    const reports = [0, 1, 3].map(async (threads) => {
      const json = join(folder, `threads-${threads}.json`)
      const run = await linkCheck([join(folder, "site"), "--threads", String(threads), "--json", json])
      expect(run).toMatchObject({ code: 0, stderr: "" })
      await gone(run.group)
      const { broken, externalLinks, files, links, unreadable } = JSON.parse(await readFile(json, "utf8"))
      return { broken, externalLinks, files, links, unreadable }
    })
    const [inPlace, ...inThreads] = await Promise.all(reports)
    expect(inPlace).toMatchObject({ files: 5, unreadable: [] })
    expect(inThreads).toEqual([inPlace, inPlace])
  })

  it("exits 0 with broken links without --strict, one of everything, and prints plain lines into a pipe", async ({
    expect
  }) => {
    const one = ["--concurrency", "1", "--threads", "1", "--requests", "1", "--capacity", "1"]
    const run = await linkCheck([join(folder, "site"), ...one])
    expect(run).toMatchObject({ code: 0, stderr: "" })
    expect(run.stdout).toMatch(/^reading: \d+ files, \d+ links\n/)
    expect(run.stdout).not.toContain("\r")
    expect(run.stdout).not.toContain("\x1b")
  })

  it("asks the next mirror when the first is slow, and prints what is broken when it is found with --follow", async ({
    expect
  }) => {
    const args = ["--mirrors", "3", "--slow", "60000", "--follow", "--concurrency", "32", "--requests", "32"]
    const run = await linkCheck([join(folder, "site"), ...args])
    expect(run).toMatchObject({ code: 0, stderr: "" })
    const [found, summary] = run.stdout.split("Checked") as [string, string]
    expect(found.match(/^docs\/broken\.md:\d+ /gm)).toHaveLength(10)
    expect(summary).not.toContain("broken.md")
    // Nothing came from the slow one; and who lost was interrupted, or this would have taken its minute.
    expect(summary).toMatch(/^ {2}answers +0 from mirror 1, \d+ from mirror 2, \d+ from mirror 3$/m)
    expect(Number(/time +([\d.]+) s/.exec(summary)![1])).toBeLessThan(60)
  })

  it("finds the same although answers are slow, or none, or a 503, or a connection breaks, with --faults", async ({
    expect
  }) => {
    const json = join(folder, "faults.json")
    const args = ["--faults", "--seed", "7", "--mirrors", "1", "--timeout", "1000", "--requests", "32", "--json", json]
    const run = await linkCheck([join(folder, "site"), ...args])
    expect(run).toMatchObject({ code: 0, stderr: "" })
    expect(run.stdout).toMatch(/^ {2}broken +10$/m)
    const report = JSON.parse(await readFile(json, "utf8"))
    expect(report.retries).toBeGreaterThan(0)
    expect(report.broken.map(({ reason }: any) => reason)).not.toContainEqual(expect.stringContaining("answered"))
    expect(report.answers).toEqual([report.requests])
  })

  it("ends with what it had when the whole run has taken too long, and exits 2", async ({ expect }) => {
    const args = ["--mirrors", "1", "--slow", "60000", "--timeout", "60000", "--deadline", "1"]
    const run = await linkCheck([join(folder, "site"), ...args])
    expect(run.code).toBe(2)
    expect(run.stdout).toMatch(/^Interrupted\. So far, in /m)
    expect(run.stderr).toBe('link-check: the deadline "the whole run" of 1000 ms has passed\n')
    await gone(run.group)
  })

  it("leaves a whole report of what it had when it is killed", async ({ expect }) => {
    const json = join(folder, "killed.json")
    const report = async () => JSON.parse(await readFile(json, "utf8"))
    // Killed while every answer takes a minute, as soon as a report says that all has been read.
    const act = async (group: number) => {
      await vi.waitFor(async () => expect(await report()).toMatchObject({ files: 5 }), {
        timeout: 30_000,
        interval: 50
      })
      process.kill(-group, "SIGKILL")
    }
    const run = await linkCheck([join(folder, "site"), "--mirrors", "1", "--slow", "60000", "--json", json], {
      when: "reading: ",
      act
    })
    expect(run.code).toBeNull()
    expect(await report()).toMatchObject({ interrupted: true, files: 5, unread: 0 })
    expect((await report()).externalLinks).toHaveLength(6)
  })

  it("saves the report although Ctrl-C comes in the midst of it", async ({ expect }) => {
    // Nobody can finish writing to a pipe before somebody reads from it.
    const pipe = join(folder, "pipe")
    execFileSync("mkfifo", [pipe])
    let saved: Promise<string> | undefined
    const act = (group: number) => {
      ctrlC(group)
      setTimeout(() => (saved = readFile(pipe, "utf8")), 300)
    }
    const run = await linkCheck([join(folder, "site"), "--json", pipe], { when: "  time ", act })
    expect(run).toMatchObject({ code: 130, stderr: "" })
    expect(run.stdout).toContain("Checked")
    expect(JSON.parse(await saved!)).toMatchObject({ interrupted: false, files: 5 })
  })

  it("exits 2 without a stack trace when there is no such folder", async ({ expect }) => {
    const run = await linkCheck(["no-such-folder"])
    expect(run).toMatchObject({ code: 2, stdout: "", stderr: 'link-check: there is no folder "no-such-folder"\n' })
  })

  // As processes these would take longer than all the rest.
  it.each([
    [["package.json"], '"package.json" is not a folder'],
    [["--concurrency", "none"], '--concurrency must be a whole number from 1 to 10000, got "none"'],
    [["--threads", "many"], '--threads must be a whole number from 0 to 1000, got "many"'],
    [["src", "--requests", "0"], '--requests must be a whole number from 1 to 10000, got "0"'],
    [["--mirrors", "11"], '--mirrors must be a whole number from 1 to 10, got "11"'],
    [["--slow", "soon"], '--slow must be a whole number from 0 to 60000, got "soon"'],
    [["--capacity", "1.5"], '--capacity must be a whole number from 1 to 10000, got "1.5"'],
    [["--faults", "--seed", "x"], '--seed must be a whole number from 0 to 10000, got "x"'],
    [["--rate", "0"], '--rate must be a whole number from 1 to 10000, got "0"'],
    [["--timeout", "0"], '--timeout must be a whole number from 1 to 60000, got "0"'],
    [["--deadline", "0"], '--deadline must be a whole number from 1 to 86400, got "0"'],
    [["src", "test"], "one folder at a time, got 2: src, test"],
    [["src", "--redis", "localhost:6379"], "--redis must be a URL such as redis://localhost:6379"],
    [["src", "--redis", "redis://"], "--redis must be a URL such as redis://localhost:6379"],
    [["src", "--run", "mine"], "--run is for --redis"],
    [["src", "--redis", "redis://localhost", "--run", ""], "--run must be a name of 1 to 200 characters, got 0"],
    [["--colour"], "Unknown option '--colour'"]
  ])("refuses %j and says why", async (args, message) => {
    const error = await Effect.runPromise(Effect.flip(parse(args)))
    expect(error).toBeInstanceOf(UserError)
    expect(error.message).toContain(message)
  })

  it("says so when the report cannot be written", async () => {
    const options = await Effect.runPromise(parse([folder]))
    if (options === "help") throw new Error("asked for no help")
    const outcome = { results: emptyResults, external: [], unread: 0, milliseconds: 0, interrupted: false }
    const error = await Effect.runPromise(Effect.flip(writeJson(join(folder, "nowhere", "a.json"), options, outcome)))
    expect(error.message).toMatch(/^cannot write the report: ENOENT/)
  })

  it("knows --help", async () => {
    expect(await Effect.runPromise(parse(["--help"]))).toBe("help")
  })
})

// Alone, so that what takes its time is what is to take its time.
describe("link-check, of several mirrors", { timeout: 60_000 }, () => {
  let folder: string
  beforeAll(async () => void (folder = await makeFolder()))
  afterAll(() => rm(folder, { recursive: true, force: true }))

  /** What asks, and is asked, as the command line says. */
  const withMirrors = <A, E>(
    args: ReadonlyArray<string>,
    effect: Effect.Effect<A, E, Layer.Layer.Success<typeof live> | Options>
  ) =>
    Effect.gen(function* () {
      const options = yield* parse([join(folder, "site"), ...args])
      if (options === "help") throw new Error("asked for no help")
      return yield* effect.pipe(
        Effect.provide(Layer.provide(live, DistributedRateLimiter.layerStoreMemory)),
        Effect.provideService(Options, options)
      )
    })

  /** Asks with some of the mirrors out of order. */
  const ask = (isDown: (index: number) => boolean) =>
    withMirrors(
      [],
      Effect.gen(function* () {
        const down = (yield* Mirrors).map((url, index) => (isDown(index) ? "http://127.0.0.1:1" : url))
        const ask = yield* Effect.provideService(askOnce, Mirrors, down)
        const answers = yield* Effect.all([ask("files", "good.md"), ask("files", "gone.md"), ask("files", "good.md")])
        return [...answers.map(({ status }) => status), ...(yield* Progress.get).answers]
      })
    )

  it("none gets more requests in a second than it may, with faults and all that is asked again", async ({ expect }) => {
    const rate = 25
    const arrivals: Array<Array<number>> = [[], []]
    const loop = monitorEventLoopDelay({ resolution: 5 })
    const args = ["--faults", "--seed", "3", "--rate", String(rate), "--requests", "60"]
    const askMany = Effect.gen(function* () {
      const ask = yield* askOnce
      yield* ask("files", "good.md")
      loop.enable()
      const paths = Array.from({ length: 60 }, (_, index) => `gone-${index}.md`)
      return yield* Effect.forEach(paths, (path) => ask("files", path), { concurrency: "unbounded" })
    })
    const answers = await Effect.runPromise(
      withMirrors(args, askMany).pipe(
        Effect.provideService(Arrivals, (mirror) => void arrivals[mirror]!.push(performance.now()))
      )
    )
    loop.disable()
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([404]))
    // What is sent within a second does not arrive within one: some of it is under way longer, and all of it when the program is held up. But
    // so many cannot have come in less time than they were sent in, but for that.
    const underWay = 100 + (2 * loop.max) / 1e6
    // Some were asked again.
    expect(arrivals.flat().length).toBeGreaterThan(61)
    for (const times of arrivals) {
      expect(times.length, "more than a second's").toBeGreaterThan(rate)
      const took = times.at(-1)! - times[0]!
      const least = (Math.ceil(times.length / rate) - 1) * 1000 - underWay
      expect(took, `${times.length} requests took ${took} ms`).toBeGreaterThan(least)
    }
  })

  it("who waits for its turn at the rate is not late: its time begins when it is sent", async ({ expect }) => {
    const args = ["--mirrors", "1", "--timeout", "2000", "--rate", "1"]
    const askFour = Effect.gen(function* () {
      const ask = yield* askOnce
      const paths = ["good.md", "docs/other.md", "docs/broken.md", "gone.md"]
      const answers = yield* Effect.forEach(paths, (path) => ask("files", path), { concurrency: "unbounded" })
      return [...answers.map(({ status }) => status), (yield* Progress.get).retries]
    })
    expect(await Effect.runPromise(withMirrors(args, askFour))).toEqual([200, 200, 200, 404, 0])
  })

  it("with --faults they are slow, silent, busy or gone, now and then, and the same ones again", async ({ expect }) => {
    const timeout = 200
    const what = async (url: string, signal: AbortSignal) => {
      const began = performance.now()
      try {
        const { status } = await fetch(url, { signal })
        return { kind: status === 503 ? "busy" : "answered", took: performance.now() - began }
      } catch {
        return { kind: signal.aborted ? "silent" : "gone", took: 0 }
      }
    }
    const look = Effect.flatMap(Mirrors, ([url]) =>
      Effect.promise(() => {
        const paths = Array.from({ length: 60 }, (_, index) => `${url}/files?path=good.md&${index}`)
        return Promise.all(paths.map((path) => what(path, AbortSignal.timeout(4000))))
      })
    )
    const args = ["--faults", "--seed", "1", "--mirrors", "1", "--timeout", String(timeout)]
    const [answers, again] = await Promise.all([1, 2].map(() => Effect.runPromise(withMirrors(args, look))))
    expect(new Set(answers!.map(({ kind }) => kind))).toEqual(new Set(["answered", "silent", "busy", "gone"]))
    expect(again!.map(({ kind }) => kind)).toEqual(answers!.map(({ kind }) => kind))
    // Some are so slow that whoever asks has given up by then.
    expect(Math.max(...answers!.map(({ took }) => took))).toBeGreaterThan(timeout)
  })

  it("the next is asked at once when one is down", async ({ expect }) => {
    expect(await Effect.runPromise(ask((index) => index === 0))).toEqual([200, 404, 200, 0, 2])
  })

  it("says so when all are down", async ({ expect }) => {
    const error = await Effect.runPromise(Effect.flip(ask(() => true)))
    expect(error).toBeInstanceOf(UserError)
    expect(error.message).toMatch(/^no mirror answers: .+; .+/)
  })
})

// The processes of a run load side by side, and so do the runs.
describeRedis("link-check, shared by processes", (redis) => {
  let folder: string
  let bundled: Awaited<ReturnType<typeof bundle>>
  beforeAll(async () => {
    folder = await makeFolder()
    bundled = await bundle()
  })
  afterAll(async () => {
    await bundled.remove()
    await rm(folder, { recursive: true, force: true })
  })

  /** Takes part in a run, and gives what was reported. */
  const takePart = async (json: string, args: ReadonlyArray<string>, when?: When, program = bundled.program) => {
    const file = join(folder, json)
    const run = await linkCheck([join(folder, "site"), "--threads", "0", "--json", file, ...args], when, program)
    return { run, report: JSON.parse(await readFile(file, "utf8")) }
  }
  /** Asks the server, over a connection that none of the other tests closes when it ends. */
  const look = async <A>(question: (server: Connection) => Promise<A>): Promise<A> => {
    const server = connect({ url: redis.url, prefix: "link-check" })
    try {
      return await question(server)
    } finally {
      server.close()
    }
  }
  /** Whatever is on the server of a run that goes on expires in a day; and there is something. */
  const expectToExpire = (run: string) =>
    look(async (server) => {
      const id = await server.send("GET", [`link-check:{${run}}:run`])
      expect(id).toBeTypeOf("string")
      const all = (await server.send("KEYS", ["link-check:*"])) as ReadonlyArray<string>
      const keys = all.filter((key) => key.includes(run) || key.includes(`${id}`))
      expect(keys).toContain(`link-check:{files of ${id}}:queue:items`)
      for (const key of keys) {
        const seconds = Number(await server.send("TTL", [key]))
        // (That of the rate may be gone meanwhile.)
        expect(seconds, key).not.toBe(-1)
        expect(seconds, key).toBeLessThanOrEqual(86_400 + 3)
      }
    })
  /** What is the same for all, whoever did it. */
  const found = ({ broken, checked, external, externalLinks, files, interrupted, links, unreadable, unread }: any) => ({
    broken,
    checked,
    external,
    externalLinks,
    files,
    interrupted,
    links,
    unreadable,
    unread
  })
  let alone: Promise<any>
  const aloneFound = () =>
    (alone ??= takePart("alone.json", []).then(({ report }) => {
      expect(report).toMatchObject({ files: 5, interrupted: false })
      expect(report.broken).toHaveLength(10)
      return found(report)
    }))

  const parsed = async (args: ReadonlyArray<string>) => {
    const options = await Effect.runPromise(parse([join(folder, "site"), ...args]))
    if (options === "help") throw new Error("asked for no help")
    return options
  }

  describe.concurrent("in a run", { timeout: 120_000 }, () => {
    it("two find together what one finds alone, and each file is done by one of them", async ({ expect }) => {
      const run = `${redis.prefix}-two`
      const slowly = ["--redis", redis.url, "--run", run, "--mirrors", "1", "--slow", "300", "--concurrency", "1"]
      const two = await Promise.all([takePart("one.json", slowly), takePart("other.json", slowly)])
      for (const { report, run } of two) {
        expect(run).toMatchObject({ code: 0, stderr: "" })
        expect(run.stdout).toContain("docs/broken.md:3  missing.md  does not exist\n")
        expect(run.stdout).toMatch(/^ {2}done here +\d of these files$/m)
        expect(found(report)).toEqual(await aloneFound())
        expect(report.here.done).toBeGreaterThan(0)
      }
      // Five, and once more what was held up for longer than a lease.
      const times = two[0].report.here.done + two[1].report.here.done
      expect(times).toBeGreaterThanOrEqual(5)
      expect(times).toBeLessThan(10)

      // So the next one is a new one.
      expect(await look((server) => server.send("EXISTS", [`link-check:{${run}}:run`]))).toBe(0)
    })

    it("one is killed in the midst of it, and the other has its files back", async ({ expect }) => {
      const name = `${redis.prefix}-killed`
      const shared = ["--redis", redis.url, "--run", name]
      const stuck = ["--mirrors", "1", "--slow", "60000", "--timeout", "60000", "--concurrency", "2"]
      const killed = await takePart("killed-one.json", [...shared, ...stuck], {
        when: " of 2 files done here",
        act: (group) => process.kill(-group, "SIGKILL")
      })
      expect(killed.run.code).toBeNull()
      await expectToExpire(name)
      const { report, run } = await takePart("alive.json", shared)
      expect(run).toMatchObject({ code: 0, stderr: "" })
      expect(found(report)).toEqual(await aloneFound())
      expect(report.here.done).toBe(5)
    })

    it("Ctrl-C gives back at once what was begun", async ({ expect }) => {
      const run = `${redis.prefix}-stopped`
      const shared = ["--redis", redis.url, "--run", run]
      const stuck = ["--mirrors", "1", "--slow", "60000", "--timeout", "60000", "--concurrency", "2"]
      const stopped = await takePart("stopped.json", [...shared, ...stuck], { when: " of 2 files done here" }, source)
      expect(stopped.run).toMatchObject({ code: 130, stderr: "" })
      expect(stopped.report).toMatchObject({ interrupted: true })
      const counts = await look(async (server) => {
        const id = await server.send("GET", [`link-check:{${run}}:run`])
        return new RedisDeliveries(server).counts(`files of ${id}`)
      })
      expect(counts).toMatchObject({ leased: 0, delayed: 0, dead: 0 })
      expect(counts.ready).toBeGreaterThanOrEqual(2)
      await expectToExpire(run)
    })

    it.skipIf(!redis.isOurs)("says so and exits 2 when the server is gone in the midst of it", async ({ expect }) => {
      const server = new RedisServer()
      await server.start()
      const stuck = ["--mirrors", "1", "--slow", "60000", "--timeout", "60000", "--concurrency", "2", "--threads", "0"]
      const goneMeanwhile = { when: " of 2 files done here", act: () => void server.end() }
      const run = await linkCheck(
        [join(folder, "site"), "--redis", server.url, ...stuck],
        goneMeanwhile,
        bundled.program
      )
      expect(run.code).toBe(2)
      expect(run.stdout).not.toContain("Error")
      // No stack trace, whatever the library reports besides.
      const lines = run.stderr.trimEnd().split("\n")
      expect(lines.filter((line) => !line.startsWith("link-check: "))).toEqual([])
      expect(lines.at(-1)).toMatch(/^link-check: the run cannot be shared on 127\.0\.0\.1:\d+: .*could not be reached/)
    })

    it("says so when the server does not answer, or there is none", async ({ expect }) => {
      const silent = createServer(() => {}).listen(0, "127.0.0.1")
      await once(silent, "listening")
      const { port } = silent.address() as AddressInfo
      const errors = [port, 1].map(async (port) => {
        const options = await parsed(["--redis", `redis://user:secret@127.0.0.1:${port}`])
        const began = Effect.scoped(Layer.build(Shared)).pipe(Effect.provideService(Options, options))
        return Effect.runPromise(Effect.flip(began))
      })
      for (const error of await Promise.all(errors)) {
        expect(error).toBeInstanceOf(UserError)
        expect(error.message).toMatch(/^the run cannot be shared on 127\.0\.0\.1:\d+: /)
        expect(error.message).not.toContain("secret")
      }
      silent.close()
    })
  })

  // Alone, so that what takes its time is what is to take its time.
  it("all together ask a mirror no more often than they may", async ({ expect }) => {
    const shared = ["--redis", redis.url, "--run", `${redis.prefix}-rate`]
    const options = await parsed([...shared, "--mirrors", "1", "--rate", "10", "--requests", "10"])
    const askTen = Effect.gen(function* () {
      const ask = yield* askOnce
      const paths = Array.from({ length: 10 }, (_, index) => `gone-${index}.md`)
      yield* Effect.forEach(paths, (path) => ask("files", path), { concurrency: "unbounded" })
    }).pipe(Effect.provide(Layer.provide(live, Shared)), Effect.provideService(Options, options))
    const began = performance.now()
    await Promise.all([Effect.runPromise(askTen), Effect.runPromise(askTen)])
    // Ten at once, and the others in the second after that; each by itself would take no time.
    expect(performance.now() - began).toBeGreaterThan(900)
  })
})

describe("link-check, interrupted", () => {
  it("stops at once on Ctrl-C, prints and saves what it had, exits 130 and leaves nothing", async () => {
    const folder = await mkdtemp(join(tmpdir(), "link-check-"))
    const json = join(folder, "report.json")
    const run = await linkCheck(["node_modules", "--json", json], { when: "reading: " })
    expect(run).toMatchObject({ code: 130, stderr: "" })
    expect(run.stdout).toMatch(/^Interrupted\. So far, in node_modules:$/m)
    expect(run.stdout).toMatch(/^ {2}files +\d+/m)
    expect(run.stdout).not.toContain("Checked")
    expect(run.millisecondsToStop).toBeLessThan(2000)
    expect(JSON.parse(await readFile(json, "utf8"))).toMatchObject({ folder: "node_modules", interrupted: true })
    expect(await readdir(folder)).toEqual(["report.json"])
    await rm(folder, { recursive: true })
    await gone(run.group)
  })
})
