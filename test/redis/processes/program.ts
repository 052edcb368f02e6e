/** What the programs of random runs have in common: a server of their own, other programs as one file, chance, and options. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { buildSync } from "esbuild"
import { Redis as Client } from "ioredis"
import { root } from "../../utils/source.js"

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A small generator of random numbers from 0 to 1, so that a seed says what happens (as far as real processes let it). */
export const dice = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

export interface Program {
  readonly file: string
  readonly remove: () => void
}

/** A program of this folder made of one file, which starts faster. */
export const bundleOf = (name: string): Program => {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`))
  const file = join(folder, `${name}.cjs`)
  const entry = join(root, `test/redis/processes/${name}.ts`)
  buildSync({ entryPoints: [entry], outfile: file, bundle: true, platform: "node", format: "cjs", logLevel: "error" })
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

/** A server for this program, which is gone with it. (Those of the suites are for vitest.) */
const ownServer = async (): Promise<{ readonly url: string; readonly end: () => void }> => {
  const folder = mkdtempSync(join(tmpdir(), "redis-"))
  const port = await freePort()
  const options = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
  const child = spawn("redis-server", options, { stdio: "ignore" })
  const end = () => {
    child.kill("SIGKILL")
    rmSync(folder, { recursive: true, force: true })
  }
  process.on("exit", end)
  const client = new Client(port, "127.0.0.1")
  client.on("error", () => {})
  while ((await client.ping().catch(() => "")) !== "PONG") await sleep(5)
  client.disconnect()
  return { url: `redis://127.0.0.1:${port}`, end }
}

export interface Given {
  readonly url: string
  readonly prefix: string
  /** The file of the program that each process runs. */
  readonly program: string
}

interface Found {
  readonly violations: ReadonlyArray<string>
}

/** What a module does when it is the program: it has a server of its own, runs, and prints what came of it. For others it only exports. */
export const programOf = async (
  module: ImportMeta,
  child: string,
  runs: (given: Given) => Promise<Found>
): Promise<void> => {
  if (module.url !== pathToFileURL(process.argv[1] ?? "").href) return
  const server = await ownServer()
  const program = bundleOf(child)
  try {
    tell(await runs({ url: server.url, prefix: child, program: program.file }))
  } finally {
    program.remove()
    server.end()
  }
}

/** A number of the command line: `--name 5`. */
export const option = (name: string, otherwise: number): number => {
  const index = process.argv.indexOf(`--${name}`)
  return index < 0 ? otherwise : Number(process.argv[index + 1])
}

/** Prints figures, and what must not be; with any of that the program fails. */
const tell = ({ violations, ...figures }: Found): void => {
  for (const [name, value] of Object.entries(figures as Record<string, number>)) {
    // oxlint-disable-next-line no-console -- a program
    console.log(`${name.padEnd(18)} ${value.toLocaleString("en")}`)
  }
  // oxlint-disable-next-line no-console -- a program
  console.log(violations.length === 0 ? "violations         none" : violations.join("\n"))
  process.exitCode = violations.length === 0 ? 0 : 1
}
