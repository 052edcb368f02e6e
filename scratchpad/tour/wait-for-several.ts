/** How do I wait for the first of several, or for all? `asyncio.wait`, `as_completed`, `gather`, happy eyeballs */
import { Effect, Stream } from "effect"
import { Task, Wait } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title(
  "How do I wait for the first of several, or for all?",
  "asyncio.wait(tasks, return_when=FIRST_COMPLETED); as_completed(tasks)"
)

const mirror = (name: string, millis: number) =>
  Effect.as(Effect.sleep(millis), name).pipe(
    Effect.onInterrupt(() => Effect.sync(() => show("effect", `  ${name} is not needed any more`)))
  )
const mirrors = [mirror("Oslo", 30), Effect.fail("Rome is down"), mirror("Kyoto", 5)]

show("effect", `first success: ${await Effect.runPromise(Wait.firstSuccess(mirrors))}`)

const download = Effect.gen(function* () {
  const task = yield* Task.start(Effect.delay(Effect.fail("no route"), 20), { name: "download" })
  const first = yield* Wait.firstSuccess([task, mirror("Lima", 2)]) // leaves the task alone
  const error = yield* Effect.flip(task.await) // nobody else has asked for its failure
  return `${first} was first, and the download fails later: ${String(error)}`
})
show("effect", await Effect.runPromise(download))

const endings: Array<string> = []
const read = Wait.asCompleted(mirrors).pipe(
  Stream.runForEach(({ exit, index }) => Effect.sync(() => endings.push(`${index} ${exit._tag}`)))
)
await Effect.runPromise(read)
show("effect", `as completed: ${endings.join(", ")}`)

const sleep = (millis: number, signal: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, millis)
    signal.addEventListener("abort", () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
const connect =
  (address: string, millis: number) =>
  async ({ signal }: Promises.Wait.Call) => {
    await sleep(millis, signal)
    return address
  }
const addresses = [connect("::1", 60_000), connect("127.0.0.1", 1)]
const { index, value } = await Promises.Wait.staggered(addresses, 10, { withIndex: true })
show("promise", `happy eyeballs: ${value}, which was number ${index}`)

const slow = new Promise<string>(() => {})
const { done, pending } = await Promises.Wait.wait([slow, Promise.resolve("quick")], { timeout: 5 })
show("promise", `after 5 ms: done ${done.length}, pending ${pending.length}, and nobody was cancelled`)
