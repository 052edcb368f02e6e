/** How do I leave alone what is down, and keep what is slow from drowning? No counterpart in asyncio. */
import { Effect } from "effect"
import { Bulkhead, CircuitBreaker } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I leave alone what is down, and keep what is slow from drowning?", "no counterpart")

class Mail extends CircuitBreaker.Service<Mail>()("tour/Mail", {
  trip: { kind: "consecutive", failures: 2 },
  halfOpen: { after: "5 millis" }
}) {}

let isUp = false
let asked = 0
const send = Effect.suspend(() => {
  asked++
  return isUp ? Effect.succeed("sent") : Effect.fail("no route")
}).pipe(
  Mail.protect,
  Effect.catchTag("CircuitOpen", () => Effect.succeed("kept for later")),
  Effect.merge
)
const mails = Effect.gen(function* () {
  const results = yield* Effect.replicateEffect(send, 4)
  isUp = true
  yield* Effect.sleep(10)
  return [...results, yield* send, yield* Mail.state]
})
show(
  "effect",
  `${(await Effect.runPromise(Effect.provide(mails, Mail.layer))).join(", ")}; the server was asked ${asked} times`
)

// What it knows is data: a process that is started anew need not learn it again.
const breaker = new Promises.CircuitBreaker({
  name: "search",
  trip: { kind: "time", window: 10_000, rate: 0.5, minimum: 2 },
  halfOpen: { after: 60_000 }
})
for (let i = 0; i < 2; i++) await breaker.run(() => Promise.reject(new Error("503"))).catch(() => {})
const saved = JSON.stringify(breaker.snapshot())
const another = new Promises.CircuitBreaker({
  trip: { kind: "time", window: 10_000, rate: 0.5 },
  halfOpen: { after: 60_000 }
})
another.restore(JSON.parse(saved) as Promises.CircuitBreakerSnapshot)
show("promise", `saved and restored: ${another.state}`)

class Reports extends Bulkhead.Service<Reports>()("tour/Reports", { permits: 2, backlog: 1 }) {}

const report = (n: number) =>
  Effect.as(Effect.sleep(1), `report ${n}`).pipe(
    Reports.protect,
    Effect.catchTag("BulkheadFull", () => Effect.succeed("come back later"))
  )
const reports = Effect.forEach([1, 2, 3, 4], report, { concurrency: "unbounded" })
show("effect", (await Effect.runPromise(Effect.provide(reports, Reports.layer))).join(", "))

const bulkhead = new Promises.Bulkhead({ permits: 1 })
const calls = ["a", "b"].map((name) => bulkhead.run(async () => name).catch((error: Error) => error.name))
show("promise", (await Promise.all(calls)).join(", "))
