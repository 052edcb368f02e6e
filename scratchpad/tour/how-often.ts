/** How do I keep to so many requests a minute? asyncio has nothing for it. */
import { Effect } from "effect"
import { RateLimiter } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I keep to so many requests a minute?", "no counterpart")

class ApiLimit extends RateLimiter.Service<ApiLimit>()("tour/ApiLimit", { limit: 3, interval: "50 millis" }) {}

const request = Effect.clockWith((clock) => clock.currentTimeMillis).pipe(ApiLimit.withLimit("api.example.org"))
const times = await Effect.runPromise(
  Effect.all(
    Array.from({ length: 7 }, () => request),
    { concurrency: "unbounded" }
  ).pipe(Effect.provide(ApiLimit.layer))
)
const windows = times.map((time) => times.filter((other) => other >= time && other < time + 49).length)
show("effect", `7 requests at 3 in 50 ms: at most ${Math.max(...windows)} in any 50 ms`)

// A server that says no rather than letting people wait: a backlog of 0, and what is left for its headers.
const limiter = new Promises.RateLimiter({ limit: 2, interval: 60_000, backlog: 0 })
const answers = ["ada", "ada", "ada", "bob"].map((user) => {
  const { allowed, remaining, retryAfter } = limiter.tryConsume(user)
  return allowed ? `${user} 200 (${remaining} left)` : `${user} 429 (retry after ${Math.ceil(retryAfter / 1000)} s)`
})
show("promise", answers.join(", "))

// A token bucket: a burst at once, then evenly; and a large cost waits for as much as it needs.
const bytes = new Promises.RateLimiter({ limit: 1000, interval: 20, burst: 500 })
const order: Array<string> = []
await Promise.all([
  bytes.run(() => order.push("400 bytes"), { cost: 400 }),
  bytes.run(() => order.push("500 bytes"), { cost: 500 }),
  bytes.run(() => order.push("10 bytes"), { cost: 10 })
])
show("promise", `in order, whatever the size: ${order.join(", ")}`)

// Several programs share a limit when a store keeps it: here one in memory, elsewhere a server. Each asks for all of its line at once.
const store = Promises.rateLimiterStoreMemory()
let questions = 0
const counted: Promises.RateLimiterStore = {
  consume: (request) => {
    questions++
    return store.consume(request)
  },
  giveBack: (request) => store.giveBack(request)
}
const programs = [1, 2].map(() => new Promises.RateLimiterWithStore({ limit: 10, interval: 50, backlog: 0 }, counted))
const outcomes = await Promise.allSettled(
  programs.flatMap((program) => Array.from({ length: 8 }, () => program.consume("api.example.org")))
)
const through = outcomes.filter(({ status }) => status === "fulfilled").length
show("promise", `two programs, 16 requests at 10 in 50 ms: ${through} went through, for ${questions} questions`)
