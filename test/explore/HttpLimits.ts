import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Clock, Effect, Exit, Fiber, Stream } from "effect"
import type { Explored } from "./scenario.js"
import { between, claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "HttpLimits"

const url = "https://example.org"

const busy = (milliseconds: number) =>
  new Response(null, { status: 503, headers: { "retry-after": String(milliseconds / 1000) } })

interface Options {
  /** Milliseconds after which the server wants whoever it refused to come back. */
  readonly retryAfter?: number
  /** What it takes to read the body of a refusal: by default longer than the pause. */
  readonly body?: Effect.Effect<void>
}

/** A server that refuses the first request for each path. It knows who asks when, and what becomes of the bodies of its refusals. */
const server = ({ body = Effect.sleep(20), retryAfter = 5 }: Options = {}) => {
  const counts = { sent: 0, underWay: 0, peak: 0 }
  const comeBackAt = new Map<string, number>()
  /** Refusals of which the body is being read. */
  const open = new Set<string>()
  const begin = () => {
    counts.sent++
    counts.peak = Math.max(counts.peak, ++counts.underWay)
  }
  const end = () => void counts.underWay--
  const bodyOf = (path: string) => {
    const opens = () => void open.add(path)
    return Stream.fromEffect(between(opens, body, () => void open.delete(path)))
  }
  const client = HttpClient.makeWith<never, never, never, never>(
    Effect.flatMap((request) =>
      Effect.gen(function* () {
        const path = new URL(request.url).pathname
        const came = yield* Clock.currentTimeMillis
        claim(came >= (comeBackAt.get(path) ?? 0), "it is asked before it wants to be")
        claim(!open.has(path), "it is asked again beside the reading of its refusal")
        yield* between(begin, pause, end)
        if (comeBackAt.has(path)) return HttpClientResponse.fromWeb(request, new Response(null))
        comeBackAt.set(path, (yield* Clock.currentTimeMillis) + retryAfter)
        const response = HttpClientResponse.fromWeb(request, busy(retryAfter))
        return Object.defineProperty(response, "stream", { value: bodyOf(path) })
      })
    ),
    Effect.succeed
  )
  const atRest = () =>
    same([counts.underWay, open.size], [0, 0], "requests that are under way, and bodies that are open")
  return { atRest, client, counts }
}

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "places come back, bodies are read before the next request, and nobody asks too early, whoever is interrupted",
    options: { interrupt: ["a", "b"] },
    scenario: ({ effect, http }) =>
      Effect.gen(function* () {
        const slots = effect.Semaphore.makeUnsafe(1)
        const { atRest, client, counts } = server()
        const limited = client.pipe(http.concurrency(slots), http.retry({ attempts: 2, base: 1 }))
        const ask = (name: string) =>
          fork(
            name,
            Effect.map(limited.get(`${url}/${name}`), ({ status }) => status)
          )
        const exits = yield* ended<number>(yield* ask("a"), yield* ask("b"))
        for (const exit of exits) if (Exit.isSuccess(exit)) same(exit.value, 200, "the answer")
        claim(counts.peak <= 1, `${counts.peak} requests at a time`)
        const { inUse, waiting } = yield* slots.stats
        same([inUse, waiting], [0, 0], "places")
        const { sent } = counts
        yield* Effect.sleep(100)
        same(counts.sent, sent, "requests when all is over")
        atRest()
      })
  },
  {
    primitive,
    name: "a pause that the server asks for keeps no place, and ends at once with an interruption",
    // Elsewhere time passes while somebody is held up.
    models: ["taskOrder"],
    scenario: ({ effect, http }) =>
      Effect.gen(function* () {
        const slots = effect.Semaphore.makeUnsafe(1)
        const { atRest, client, counts } = server({ body: pause, retryAfter: 1000 })
        const limited = client.pipe(http.concurrency(slots), http.retry({ attempts: 2, base: 1 }))
        const a = yield* fork("a", limited.get(`${url}/a`))
        yield* Effect.sleep(10)
        same((yield* slots.stats).inUse, 0, "places in use")
        const before = yield* Clock.currentTimeMillis
        claim(Exit.isInterrupted(yield* Fiber.interrupt(a)), "it has ended before")
        same(yield* Clock.currentTimeMillis, before, "the time")
        yield* Effect.sleep(2000)
        same(counts.sent, 1, "requests")
        atRest()
      })
  },
  {
    primitive,
    name: "a body that never ends keeps nobody for long",
    options: { interrupt: ["a"] },
    scenario: ({ http }) =>
      Effect.gen(function* () {
        const { atRest, client, counts } = server({ body: Effect.async<void>(() => {}) })
        const a = yield* fork(
          "a",
          client.pipe(http.concurrency(1), http.retry({ attempts: 2, base: 1 })).get(`${url}/a`)
        )
        const [exit] = yield* ended(a)
        if (Exit.isSuccess(exit!)) same(counts.sent, 2, "requests")
        claim((yield* Clock.currentTimeMillis) <= 200, "it has taken longer")
        atRest()
      })
  },
  {
    primitive,
    name: "promises: a place is for a request and not for the pause after it, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: ["a", "b"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const { HttpLimits, Policy } = promise
        const slots = new promise.Semaphore(1)
        const policy = Policy.wrap(
          promise.retryPolicy<any>({
            attempts: 2,
            base: 1,
            whileResult: HttpLimits.isTransient,
            retryAfterResult: HttpLimits.retryAfter
          }),
          slots
        )
        let underWay = 0
        const caller = (name: string) =>
          tasks.spawn(name, ({ signal, step }) => {
            let sent = 0
            return policy.run(
              async () => {
                claim(++underWay === 1, "two requests at a time")
                await step()
                underWay--
                return ++sent === 1 ? busy(5) : new Response(null)
              },
              { signal }
            )
          })
        const results = await settled<Response>(caller("a"), caller("b"))
        for (const result of results) if (result.status === "fulfilled") same(result.value.status, 200, "the answer")
        // Who has not asked for its signal may go on for a while after its caller.
        await slots.run(() => {})
        const { inUse, waiting } = slots.stats()
        same({ inUse, waiting, underWay }, { inUse: 0, waiting: 0, underWay: 0 }, "what is left")
      }
  },
  {
    primitive,
    name: "fibers and async functions ask one server, one at a time, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: ["fiber", "task"] },
    scenario:
      ({ effect, http, promise }) =>
      async (tasks) => {
        const slots = effect.Semaphore.makeUnsafe(1)
        const { atRest, client, counts } = server()
        const limited = client.pipe(http.concurrency(slots), http.retry({ attempts: 2, base: 1 }))
        const plain = promise.Semaphore.from(slots)
        const fiber = tasks.fork("fiber", Effect.asVoid(limited.get(`${url}/fiber`)))
        const task = tasks.spawn("task", ({ signal, step }) =>
          promise.retry(
            () =>
              plain.run(
                async () => {
                  claim(counts.underWay === 0, "two requests at a time")
                  counts.underWay++
                  await step()
                  counts.underWay--
                },
                { signal }
              ),
            { attempts: 2, base: 1, while: promise.HttpLimits.isTransient },
            { signal }
          )
        )
        await settled<void>(fiber, task)
        await plain.run(() => {})
        claim(counts.peak <= 1, `${counts.peak} requests at a time`)
        const { inUse, waiting } = plain.stats()
        same([inUse, waiting], [0, 0], "places")
        atRest()
      }
  }
]
