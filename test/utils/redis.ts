/**
 * A Redis server for the tests of one file: a private one, on a free port of this machine, that is gone with the process. `REDIS_URL` names
 * another; then nothing is done to that server itself, and what would have to be is skipped.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Redis as Client } from "ioredis"
import { afterAll, afterEach, beforeAll, describe } from "vitest"
import type { Script } from "../../src/core/redis/script.js"
import { connect as connection, type RedisOptions } from "../../src/redis/connect.js"
import type { CallOptions, Connection } from "../../src/redis/connection.js"
import { root } from "./source.js"

const given = process.env["REDIS_URL"]

const hasServer = given !== undefined || spawnSync("redis-server", ["--version"]).status === 0

const how =
  "redis-server is not installed: apt-get install -y --no-install-recommends redis-server (or set REDIS_URL to a server for tests)"

/** The shell kills the server when this process is gone, however that came about: then nobody holds the other end of its input. */
const script = 'redis-server "$@" >/dev/null 2>&1 & echo $!; read -r line; kill -9 $!'

export class RedisServer {
  /** The process of the server; of one that is not ours, 0. */
  pid = 0
  port = 0
  url = given ?? ""
  /** What the keys of this file begin with. */
  readonly prefix = `test-${randomUUID().slice(0, 8)}`
  /** Whether it is ours, to be stopped and killed. */
  readonly isOurs = given === undefined
  private shell: ChildProcess | undefined
  private folder = ""
  private readonly closing = new Set<() => void>()

  async start(): Promise<void> {
    if (!this.isOurs) return
    if (this.port === 0) this.port = await freePort()
    if (this.folder === "") this.folder = mkdtempSync(join(tmpdir(), "redis-"))
    this.url = `redis://127.0.0.1:${this.port}`
    const options = [
      "--port",
      `${this.port}`,
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--appendonly",
      "no",
      "--dir",
      this.folder
    ]
    const shell = spawn("/bin/sh", ["-c", script, "sh", ...options], { stdio: ["pipe", "pipe", "ignore"] })
    this.shell = shell
    this.pid = await new Promise<number>((resolve) => shell.stdout!.once("data", (data) => resolve(Number(data))))
    while (!(await isUp(this.port))) {
      if (shell.exitCode !== null) throw new Error("redis-server has ended")
      await later(3)
    }
  }

  /** Ends the server, at once. */
  async kill(): Promise<void> {
    const { shell } = this
    if (shell === undefined) return
    const ended = new Promise((resolve) => shell.once("exit", resolve))
    shell.stdin!.end()
    await ended
    this.shell = undefined
    while (await isUp(this.port)) await later(3)
  }

  /** The same server with nothing in it. */
  async restart(): Promise<void> {
    await this.kill()
    await this.start()
  }

  /** Whatever was done to it, it is there again. */
  async revive(): Promise<void> {
    if (this.shell === undefined) await this.start()
    this.continue()
  }

  /** It does nothing any more; the system goes on accepting connections in its name. */
  stop(): void {
    process.kill(this.pid, "SIGSTOP")
  }

  continue(): void {
    process.kill(this.pid, "SIGCONT")
  }

  /** A connection for the test that asks, closed when that ends. */
  connect(options?: RedisOptions): Connection {
    const made = connection({ url: this.url, prefix: this.prefix, ...options })
    this.closing.add(() => made.close())
    return made
  }

  /**
   * A connection for the test that asks, whose scripts read a clock that the test sets, and expire nothing by themselves. So no test of what a script
   * does has to wait, or depends on how fast the machine is.
   */
  connectOnAClock(options?: RedisOptions): Connection & { now: number } {
    const connection = this.connect(options)
    const key = `${this.prefix}:clock:${randomUUID()}`
    const time = `(function()
      local now = tonumber(redis.call("GET", "${key}"))
      return { string.format("%.0f", math.floor(now / 1000000)), string.format("%.0f", now % 1000000) }
    end)()`
    return Object.assign(Object.create(connection) as Connection, {
      /** In microseconds, as the server's. */
      now: 1_700_000_000_000_000,
      async run<In, Out>(script: Script<In, Out>, input: In, options?: CallOptions): Promise<Out> {
        const { args, decode, keys, lua, name } = script
        const changed = lua
          .replaceAll('redis.call("TIME")', time)
          .replaceAll(/redis\.call\("PEXPIRE", (KEYS\[\d\]).*/g, 'redis.call("PERSIST", $1)')
          .replaceAll(', "PX", rest)', ")")
        await connection.send("SET", [key, (this as unknown as { now: number }).now])
        return decode(await connection.eval(name, changed, keys(connection.prefix, input), args(input), options), input)
      }
    })
  }

  /** A client of the driver, to look at what is stored: closed when the test ends. */
  client(): Client {
    const client = new Client(this.url, { lazyConnect: false })
    client.on("error", () => {})
    this.closing.add(() => client.disconnect())
    return client
  }

  /** Calls a function when the test ends. */
  onClose(close: () => void): void {
    this.closing.add(close)
  }

  /** The keys of this file, or those of a name. */
  async keys(name?: string): Promise<ReadonlyArray<string>> {
    const pattern = `${this.prefix}${name === undefined ? "" : `:{${name}}:`}*`
    return (await this.client().keys(pattern)).toSorted()
  }

  closeAll(): void {
    for (const close of this.closing) close()
    this.closing.clear()
  }

  async end(): Promise<void> {
    this.closeAll()
    await this.kill()
    if (this.folder !== "") rmSync(this.folder, { recursive: true, force: true })
  }
}

const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

const isUp = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    const settle = (up: boolean) => {
      socket.destroy()
      resolve(up)
    }
    socket.once("error", () => settle(false))
    socket.once("data", (data) => settle(String(data).startsWith("+PONG")))
    socket.write("PING\r\n")
  })

let server: RedisServer | undefined
let warned = false

/** One for the file. */
const shared = (): RedisServer => (server ??= new RedisServer())

beforeAll(async () => {
  if (hasServer) await server?.start()
})
afterEach(() => server?.closeAll())
afterAll(() => server?.end())

/** Says, once, that something is left out. */
const skipped = (name: string): void => {
  if (process.env["CI"]) throw new Error(`${name}: ${how}`)
  if (!warned) process.stderr.write(`\n*** SKIPPED: ${name}: ${how}\n\n`)
  warned = true
}

/**
 * A suite that needs a server. Without one it is skipped, which is said loudly; where `CI` is set it fails. One with `faults` does something to
 * the server itself, and needs ours.
 */
export const describeRedis = (name: string, body: (redis: RedisServer) => void, { faults = false } = {}): void => {
  if (!hasServer) skipped(name)
  describe.skipIf(!hasServer || (faults && given !== undefined))(name, () => {
    body(shared())
  })
}

/**
 * Runs a module with the built package (`./dist/…`) in a process of its own, and gives what it prints. Fails when it does not end, or prints to
 * stderr.
 */
export const runNode = async (code: string): Promise<string> => {
  const { stderr, stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", code], {
    cwd: root,
    timeout: 20_000
  })
  if (stderr !== "") throw new Error(stderr)
  return stdout
}
