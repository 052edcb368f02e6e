import { Effect, Exit, Fiber } from "effect"
import type { RetryBudgetStats as Stats } from "effect-concurrency/promise"
import type { Explored, Library } from "./scenario.js"
import { between, claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "Retry"

/** Counts attempts: how many began, ended and run. The first ones fail. */
const attempts = (failures: number) => {
  const counts = { began: 0, over: 0 }
  const began = () => {
    counts.began++
    claim(counts.began - counts.over === 1, "an attempt beside another")
  }
  const over = () => void counts.over++
  const result = Effect.suspend(() => (counts.began <= failures ? Effect.fail("no") : Effect.void))
  const attempt = Effect.zipRight(between(began, pause, over), result)
  const atRest = () => same(counts.over, counts.began, "attempts that have ended")
  return { counts, began, over, attempt, atRest }
}

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const budget = ({ effect, promise }: Library, burst: number) => {
  const shared = effect.Retry.makeBudgetUnsafe({ burst, ratio: 0 })
  const stats = () => promise.RetryBudget.from(shared).stats()
  return { shared, stats }
}

/**
 * What was retried has its token, and no token is lost. A first attempt of one who was stopped was no request; and between the step that begins
 * a retry and the first of the retry's own somebody may be stopped, too.
 */
const paid = (began: ReadonlyArray<number>, { available, requests, retries }: Stats, stopped: number) => {
  const firsts = began.filter((attempts) => attempts > 0).length
  const others = began.reduce((sum, attempts) => sum + Math.max(0, attempts - 1), 0)
  claim(requests <= firsts && requests + stopped >= firsts, `${requests} requests of ${firsts}`)
  claim(retries <= 1, `${retries} retries, of which there may be one`)
  same(available + retries, 1, "tokens")
  claim(others <= retries && others + stopped >= retries, `${retries} retries, and ${others} attempts`)
}

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "one attempt at a time, each cleaned up, and none after the end, wherever the caller is interrupted",
    options: { interrupt: ["a"] },
    scenario: ({ effect }) =>
      Effect.gen(function* () {
        const { atRest, attempt, counts } = attempts(2)
        const a = yield* fork("a", effect.Retry.retry(attempt, { attempts: 3, base: 5, jitter: "none" }))
        const [exit] = yield* ended<void>(a)
        const { began } = counts
        if (Exit.isSuccess(exit!)) same(began, 3, "attempts until the first success")
        yield* Effect.sleep(100)
        same(counts.began, began, "attempts when all is over")
        atRest()
      })
  },
  {
    primitive,
    name: "an attempt that takes too long is stopped before the next begins, wherever the caller is interrupted",
    options: { interrupt: ["a"] },
    scenario: ({ effect }) =>
      Effect.gen(function* () {
        const { atRest, began, counts, over } = attempts(1)
        const slow = Effect.onInterrupt(Effect.sleep(50), () => Effect.sleep(5))
        const hangs = between(
          began,
          Effect.suspend(() => (counts.began < 2 ? slow : Effect.void)),
          over
        )
        const limited = effect.Retry.retry(hangs, { attempts: 2, base: 0, perAttemptTimeout: 10 })
        const a = yield* fork("a", Effect.exit(limited))
        const [exit] = yield* ended<Exit.Exit<void, { readonly _tag: string }>>(a)
        // An attempt may be so late that it does not begin.
        claim(counts.began <= 2, `${counts.began} attempts`)
        if (Exit.isSuccess(exit!) && Exit.isFailure(exit.value)) {
          const { cause } = exit.value
          claim(cause._tag === "Fail" && cause.error._tag === "DeadlineExceeded", "it fails with something else")
        }
        atRest()
      })
  },
  {
    primitive,
    name: "a limit of the whole is not retried, in an attempt or in a pause",
    options: { interrupt: ["a"] },
    scenario: ({ effect }) =>
      Effect.gen(function* () {
        const { atRest, attempt, counts } = attempts(Infinity)
        const all = effect.Retry.retry(attempt, { attempts: Infinity, base: 6, factor: 1, jitter: "none" })
        const a = yield* fork("a", Effect.flip(effect.Timeout.timeout(10, { name: "whole" })(all)))
        const [exit] = yield* ended<any>(a)
        if (Exit.isSuccess(exit!)) same(exit.value.deadline, "whole", "what ended it")
        const { began } = counts
        yield* Effect.sleep(20)
        same(counts.began, began, "attempts when all is over")
        atRest()
      })
  },
  {
    primitive,
    name: "a budget that two share is not overdrawn, whoever is interrupted",
    options: { interrupt: ["a", "b"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { shared, stats } = budget(library, 1)
        const both = [attempts(Infinity), attempts(Infinity)]
        const policy = library.effect.Retry.policy({ attempts: 3, base: 0, budget: shared })
        const a = yield* fork("a", Effect.exit(policy.retry(both[0]!.attempt)))
        const b = yield* fork("b", Effect.exit(policy.retry(both[1]!.attempt)))
        const exits = yield* ended<unknown>(a, b)
        const began = both.map(({ counts }) => counts.began)
        paid(began, stats(), exits.filter(Exit.isFailure).length)
        for (const { atRest } of both) atRest()
      })
  },
  {
    primitive,
    name: "whoever is interrupted in a pause leaves its token of the budget to the next",
    // Elsewhere the pause may end while somebody is held up.
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const { shared, stats } = budget(library, 1)
        const [gone, next] = [attempts(Infinity), attempts(Infinity)]
        const policy = { attempts: 2, jitter: "none", budget: shared } as const
        const { retry } = library.effect.Retry
        const a = yield* fork("a", Effect.exit(retry(gone.attempt, { ...policy, base: 50 })))
        yield* Effect.sleep(10)
        yield* Fiber.interrupt(a)
        const b = yield* fork("b", Effect.exit(retry(next.attempt, { ...policy, base: 5 })))
        yield* ended(b)
        same(next.counts.began, 2, "attempts of the next")
        // One who comes to his first attempt late is interrupted in it.
        same({ ...stats(), requests: 0 }, { available: 0, requests: 0, retries: 1, refused: 0 }, "the budget")
      })
  },
  {
    primitive,
    name: "promises: one attempt at a time, and none after the end, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: ["a"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const { atRest, began, counts, over } = attempts(2)
        const a = tasks.spawn("a", ({ signal, step }) =>
          promise.retry(
            async ({ signal }) => {
              claim(!signal.aborted, "an attempt of one who is aborted")
              began()
              try {
                await step()
              } finally {
                if (signal.aborted) await sleep(5)
                over()
              }
              if (counts.began < 3) throw new Error("no")
            },
            { attempts: 3, base: 5, jitter: "none" },
            { signal }
          )
        )
        const [result] = await settled<void>(a)
        same(counts.over, counts.began, "attempts that have ended when the call has")
        const { began: all } = counts
        if (result!.status === "fulfilled") same(all, 3, "attempts until the first success")
        await sleep(100)
        same(counts.began, all, "attempts when all is over")
        atRest()
      }
  },
  {
    primitive,
    name: "a fiber and an async function share a budget, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: ["fiber", "function"] },
    scenario: (library) => async (tasks) => {
      const { shared, stats } = budget(library, 1)
      const mine = attempts(Infinity)
      let began = 0
      const options = { attempts: 3, base: 0, budget: shared }
      const fiber = tasks.fork("fiber", Effect.exit(library.effect.Retry.retry(mine.attempt, options)))
      const task = tasks.spawn("function", ({ signal, step }) =>
        library.promise
          .retry(
            async ({ signal }) => {
              began++
              await step()
              signal.throwIfAborted()
              throw "no"
            },
            options,
            { signal }
          )
          .catch((error: unknown) => {
            if (error !== "no") throw error
          })
      )
      const results = await settled<unknown>(fiber, task)
      paid([began, mine.counts.began], stats(), results.filter(({ status }) => status === "rejected").length)
      mine.atRest()
    }
  }
]
