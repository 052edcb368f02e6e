/** A Redis server of a contender's own, and connections to it that last as long as the process. */
import { spawn, spawnSync } from "node:child_process"
import { createServer, connect as open } from "node:net"
import { tmpdir } from "node:os"

/** What is made once in a process, so that no round connects. */
export const once = <A>(make: () => Promise<A>): (() => Promise<A>) => {
  let made: Promise<A> | undefined
  return () => (made ??= make())
}

/** The same, for each name. */
export const each = <A>(make: (name: string) => A): ((name: string) => A) => {
  const made = new Map<string, A>()
  return (name) => {
    if (!made.has(name)) made.set(name, make(name))
    return made.get(name)!
  }
}

/** The shell kills the server when this process is gone, however that came about: then nobody holds the other end of its input. */
const script = 'redis-server "$@" >/dev/null 2>&1 & read -r line; kill -9 $!'

/** The port of the server, on this machine. It keeps nothing on a disk. */
export const port = once(async () => {
  if (spawnSync("redis-server", ["--version"]).status !== 0) throw new Error("redis-server is not there")
  const port = await freePort()
  const options = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", tmpdir()]
  const shell = spawn("/bin/sh", ["-c", script, "sh", ...options], { stdio: ["pipe", "ignore", "ignore"] })
  const deadline = performance.now() + 10_000
  while (!(await isUp(port))) {
    if (shell.exitCode !== null || performance.now() > deadline) throw new Error("redis-server does not answer")
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return port
})

/** A bare client of ioredis, which is connected. */
export const client = async (): Promise<import("ioredis").Redis> => {
  const { Redis } = await import("ioredis")
  const client = new Redis({ host: "127.0.0.1", port: await port(), maxRetriesPerRequest: null })
  await client.ping()
  return client
}

/** A connection of ours, with its stores. */
export const stores = async (): Promise<import("effect-concurrency/promise/redis").Redis> => {
  const { Redis } = await import("effect-concurrency/promise/redis")
  const redis = new Redis({ url: `redis://127.0.0.1:${await port()}` })
  await redis.send("PING")
  return redis
}

/** What a layer of ours is to be provided with. */
export const storesLayer = async () => {
  const { Layer } = await import("effect")
  const Redis = await import("effect-concurrency/redis")
  return Layer.provide(Redis.layerStores, Redis.layer({ url: `redis://127.0.0.1:${await port()}` }))
}

/** Runs an effect whose scope lasts as long as the process. */
export const held = async <A>(effect: import("effect").Effect.Effect<A, unknown, import("effect").Scope.Scope>) => {
  const { Effect, Scope } = await import("effect")
  return Effect.runPromise(Effect.flatMap(Scope.make(), (scope) => Scope.extend(effect, scope)))
}

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
    const socket = open(port, "127.0.0.1")
    const settle = (up: boolean) => {
      socket.destroy()
      resolve(up)
    }
    socket.once("error", () => settle(false))
    socket.once("data", (data) => settle(String(data).startsWith("+PONG")))
    socket.write("PING\r\n")
  })
