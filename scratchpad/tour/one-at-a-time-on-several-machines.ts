/** How do I keep two machines out of the same section? (asyncio has nothing of the kind.) */
import { Effect } from "effect"
import { DistributedMutex, DistributedSemaphore, LeaseStore } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { show, title } from "./show.js"

title("How do I keep two machines out of the same section?", "no counterpart")

// Two services over one store, as two processes have. With `layerLeases` of effect-concurrency/redis they may be on different machines; here
// the store is in memory.
class Here extends DistributedMutex.Service<Here>()("tour/Here") {}
class There extends DistributedMutex.Service<There>()("tour/There") {}

let balance = 100
const withdraw = (amount: number) =>
  Effect.gen(function* () {
    const seen = balance
    yield* Effect.sleep(1)
    balance = seen - amount
  })
const program = Effect.all(
  [
    withdraw(10).pipe(Here.withLock("account 7")),
    withdraw(20).pipe(There.withLock("account 7")),
    withdraw(30).pipe(Here.withLock("account 7"))
  ],
  { concurrency: "unbounded" }
)
await Effect.runPromise(program.pipe(Effect.provide([Here.layer, There.layer]), Effect.provide(LeaseStore.layerMemory)))
show("effect", `100 - 10 - 20 - 30 = ${balance}`)

// What a lock can not do: stop a holder that does not run. So every grant has a token, and the resource refuses one that is older than the latest.
let latest = 0
const write = (token: number): string => {
  if (token < latest) return "refused"
  latest = token
  return "written"
}

const store = Promises.leaseStoreMemory()
const [one, other] = [1, 2].map(() => new Promises.DistributedMutex(store, { lease: 100 }))
const report = await one!
  .run("report", async ({ lease, token }) => {
    // The event loop is blocked for longer than the lease: by a large JSON, or by a breakpoint.
    for (const end = performance.now() + 150; performance.now() < end;);
    const theirs = await other!.run("report", (context) => write(context.token))
    show("promise", `another has it by now: ${theirs}; the first one comes too late: ${write(token)}`)
    // Whoever looks knows it without asking the resource.
    lease.check()
    return "a report"
  })
  .catch((error: Error) => error)
show("promise", `${(report as Error).name}: ${(report as Error).message}`)

// Permits: at most two connections, in all processes together.
const connections = Effect.gen(function* () {
  const semaphore = yield* DistributedSemaphore.make({ limit: 2 })
  let [inside, peak] = [0, 0]
  const use = Effect.gen(function* () {
    peak = Math.max(peak, ++inside)
    yield* Effect.sleep(2)
    inside--
  }).pipe(semaphore.withPermit("database"))
  yield* Effect.all([use, use, use, use, use], { concurrency: "unbounded" })
  return peak
})
const peak = await Effect.runPromise(connections.pipe(Effect.provide(LeaseStore.layerMemory)))
show("effect", `5 connections, 2 permits: at most ${peak} at once`)
