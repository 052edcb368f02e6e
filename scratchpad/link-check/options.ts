/** What the user asked for: the command line, checked before anything starts. */
import { Context, Effect } from "effect"
import type { StoreError } from "effect-concurrency/redis"
import { realpath, stat } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { resolve } from "node:path"
import { parseArgs } from "node:util"

export const usage = `Usage: npm start [-- [FOLDER] [options]]

Checks every link of every Markdown file under FOLDER (default: node_modules).

Options:
  --concurrency N   how many files are read, and links checked, at a time (default 16)
  --threads N       how many threads parse them (default: as many as the machine runs at a time); 0: they are parsed in place
  --requests N      how many requests are under way at a time (default 8)
  --capacity N      how many items a queue holds before its producer waits (default 64)
  --mirrors N       how many servers serve the folder (default 2); one that does not answer in time has the next asked beside it
  --slow MS         have the first mirror take MS milliseconds for each answer, to see the next one step in (default 0)
  --faults          have the mirrors fail now and then: a slow answer, none, 503 with Retry-After, or a dropped connection
  --seed N          which of the requests those are (default 1)
  --rate N          how many requests each mirror gets in a second (default 1000)
  --timeout MS      how long a mirror has for an answer; after that it is asked again, as after a fault (default 2000)
  --deadline S      how many seconds the whole run may take (default 3600)
  --follow          print each broken link when it is found, rather than all of them in the end
  --json FILE       write the whole report to FILE, external links included; and what there is of it every second until then
  --redis URL       share the run with whoever gives the same: each file is checked by one of you, and the rate is for all together;
                    what is left undone can be gone on with for a day, then the server forgets it
  --run NAME        which run on that server (default: the path of the folder)
  --strict          exit with 1 if a link is broken
  --help            print this

Exit codes: 0 it did its work, 1 --strict and a link is broken, 2 it could not do its work (in time), 130 interrupted.`

/** The settings as a service: whoever needs one asks for it, and no function passes them along. */
export class Options extends Context.Tag("link-check/Options")<
  Options,
  {
    /** The folder as the user wrote it. */
    readonly folder: string
    /** The same as an absolute path without symbolic links, so that "inside" can be decided by comparing paths. */
    readonly root: string
    readonly concurrency: number
    /** How many threads parse files; 0: none. */
    readonly threads: number
    readonly requests: number
    readonly capacity: number
    readonly mirrors: number
    /** Milliseconds. */
    readonly slow: number
    /** The seed of the mirrors' faults; none, if they have none. */
    readonly faults: number | undefined
    /** A second. */
    readonly rate: number
    /** Milliseconds. */
    readonly timeout: number
    /** Seconds. */
    readonly deadline: number
    readonly follow: boolean
    readonly json: string | undefined
    /** The URL of the server on which the run is shared; none, if it is not. */
    readonly redis: string | undefined
    /** Whoever names the same run on the same server takes part in it. */
    readonly run: string
    readonly strict: boolean
  }
>() {}

/** Something that the user can put right; the message is for them. */
export class UserError {
  readonly _tag = "UserError"
  constructor(readonly message: string) {}
}

/** The store that the processes share has failed. */
export const storeFailed = (redis: string | undefined, { message }: StoreError): UserError =>
  new UserError(`the run cannot be shared on ${new URL(redis!).host}: ${message}`)

/** The settings from the command line, or `"help"`. */
export const parse = (args: ReadonlyArray<string>): Effect.Effect<Options["Type"] | "help", UserError> =>
  Effect.gen(function* () {
    const { positionals, values } = yield* Effect.try({
      try: () =>
        parseArgs({
          args: [...args],
          allowPositionals: true,
          options: {
            concurrency: { type: "string", default: "16" },
            threads: { type: "string", default: String(availableParallelism()) },
            requests: { type: "string", default: "8" },
            capacity: { type: "string", default: "64" },
            mirrors: { type: "string", default: "2" },
            slow: { type: "string", default: "0" },
            faults: { type: "boolean", default: false },
            seed: { type: "string", default: "1" },
            rate: { type: "string", default: "1000" },
            timeout: { type: "string", default: "2000" },
            deadline: { type: "string", default: "3600" },
            follow: { type: "boolean", default: false },
            json: { type: "string" },
            redis: { type: "string" },
            run: { type: "string" },
            strict: { type: "boolean", default: false },
            help: { type: "boolean", default: false }
          }
        }),
      catch: (error) => new UserError(`${(error as Error).message}\nTry --help.`)
    })
    if (values.help) return "help"
    if (positionals.length > 1) {
      return yield* Effect.fail(
        new UserError(`one folder at a time, got ${positionals.length}: ${positionals.join(", ")}`)
      )
    }
    const folder = positionals[0] ?? "node_modules"
    const root = yield* existingFolder(folder)
    const redis = yield* redisUrl(values.redis)
    const seed = yield* integer("--seed", values.seed, 0)
    return {
      folder,
      root,
      concurrency: yield* integer("--concurrency", values.concurrency),
      threads: yield* integer("--threads", values.threads, 0, 1000),
      requests: yield* integer("--requests", values.requests),
      capacity: yield* integer("--capacity", values.capacity),
      mirrors: yield* integer("--mirrors", values.mirrors, 1, 10),
      slow: yield* integer("--slow", values.slow, 0, 60_000),
      faults: values.faults ? seed : undefined,
      rate: yield* integer("--rate", values.rate),
      timeout: yield* integer("--timeout", values.timeout, 1, 60_000),
      deadline: yield* integer("--deadline", values.deadline, 1, 86_400),
      follow: values.follow,
      json: values.json,
      redis,
      run: yield* runName(values.run, redis, root),
      strict: values.strict
    }
  })

const integer = (option: string, value: string, min = 1, max = 10_000): Effect.Effect<number, UserError> =>
  /^\d+$/.test(value) && Number(value) >= min && Number(value) <= max
    ? Effect.succeed(Number(value))
    : Effect.fail(new UserError(`${option} must be a whole number from ${min} to ${max}, got "${value}"`))

/** What was given is not repeated: there may be a password in it. */
const redisUrl = (url: string | undefined): Effect.Effect<string | undefined, UserError> =>
  url === undefined || (URL.canParse(url) && /^rediss?:\/\/[^/]/.test(url))
    ? Effect.succeed(url)
    : Effect.fail(new UserError("--redis must be a URL such as redis://localhost:6379"))

const runName = (
  given: string | undefined,
  redis: string | undefined,
  root: string
): Effect.Effect<string, UserError> => {
  if (given !== undefined && redis === undefined) return Effect.fail(new UserError("--run is for --redis"))
  const name = given ?? root
  return redis === undefined || (name.length >= 1 && name.length <= 200)
    ? Effect.succeed(name)
    : Effect.fail(new UserError(`--run must be a name of 1 to 200 characters, got ${name.length}`))
}

const existingFolder = (folder: string): Effect.Effect<string, UserError> =>
  Effect.tryPromise({
    try: async () => {
      const root = await realpath(resolve(folder))
      return { root, isFolder: (await stat(root)).isDirectory() }
    },
    catch: (error) =>
      new UserError(
        (error as NodeJS.ErrnoException).code === "ENOENT"
          ? `there is no folder "${folder}"`
          : `cannot open the folder "${folder}": ${(error as Error).message}`
      )
  }).pipe(
    Effect.filterOrFail(
      ({ isFolder }) => isFolder,
      () => new UserError(`"${folder}" is not a folder`)
    ),
    Effect.map(({ root }) => root)
  )
