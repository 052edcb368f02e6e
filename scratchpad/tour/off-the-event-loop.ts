/** How do I run what blocks? `await asyncio.to_thread(f, x)`, `loop.run_in_executor(pool, f, x)` */
import { Effect } from "effect"
import * as Executor from "effect-concurrency/Executor"
import * as NodeExecutor from "effect-concurrency/NodeExecutor"
import * as Promises from "effect-concurrency/promise"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { show, title } from "./show.js"

title("How do I run what blocks?", "await asyncio.to_thread(f, x), loop.run_in_executor(pool, f, x)")

// A job is a function of a module. One of your own: module<typeof import("./hashing.js")>(new URL("./hashing.js", import.meta.url))
type Crypto = typeof import("node:crypto")

/** How long the event loop was held up meanwhile. */
const responsive = async <A>(work: () => Promise<A>): Promise<string> => {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await work()
  delay.disable()
  return delay.percentile(50) < 20e6 ? "the event loop stays free" : "the event loop is held up"
}

const crypto = Executor.module<Crypto>("node:crypto")
const key = Executor.run(crypto.pbkdf2Sync, "secret", "salt", 200_000, 8, "sha256")
const keys = Effect.all([key, key], { concurrency: "unbounded" })
const inThreads = Effect.provide(Effect.zipRight(Executor.warmUp(), keys), NodeExecutor.layerThreads({ max: 2 }))
show("effect", `two keys by two threads: ${await responsive(() => Effect.runPromise(inThreads))}`)

// Whoever gives up has the thread stopped, too, if it does not stop by itself: nothing goes on behind one's back.
const never = Executor.toThread(() => {
  for (;;);
})
const stopped = Effect.gen(function* () {
  const end = yield* Effect.timeoutOption(never, "50 millis")
  const next = yield* Executor.toThread((a: number, b: number) => a * b, 6, 7)
  return `${end._tag}, and the next one has another thread: ${next}`
})
const one = NodeExecutor.layerThreads({ max: 1, grace: "20 millis" })
show("effect", `an endless loop, given up: ${await Effect.runPromise(Effect.provide(stopped, one))}`)

// What may crash has a process of its own.
const crash = Executor.toThread(() => process.kill(process.pid, "SIGKILL"))
const crashed = Effect.catchTag(crash, "WorkerDied", ({ message }) => Effect.succeed(message))
const inProcesses = Effect.provide(crashed, NodeExecutor.layerProcesses())
show("effect", `a process that crashes: ${await Effect.runPromise(inProcesses)}`)

const executor = new Promises.Executor({ max: 2 })
await executor.warmUp()
const { pbkdf2Sync } = Promises.Executor.module<Crypto>("node:crypto")
const run = () => executor.run(pbkdf2Sync, "secret", "salt", 200_000, 8, "sha256")
show("promise", `two keys by two threads: ${await responsive(() => Promise.all([run(), run()]))}`)

const signal = AbortSignal.timeout(50)
const sum = (to: number) => {
  let sum = 0
  for (let i = 1; i <= to; i++) sum += i
  return sum
}
const given = executor.with({ signal }).toThread(sum, Infinity)
const reason = await given.catch((error: Error) => error.name)
show("promise", `an endless loop, given up: ${reason}; and the next one: ${await executor.toThread(sum, 1000)}`)
await executor.close()
