import { Cause, Deferred, Effect, Logger } from "effect"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "Task"

/** A resource that is held while a body runs, and its cleanup, which takes two steps. */
const held = (body: Effect.Effect<unknown>) => {
  const state = { entered: 0, cleaned: 0 }
  const effect = Effect.acquireUseRelease(
    Effect.sync(() => state.entered++),
    () => body,
    () =>
      Effect.zipRight(
        pause,
        Effect.sync(() => state.cleaned++)
      )
  )
  const clean = () => same(state.cleaned, state.entered, "what was entered and cleaned up")
  return { state, effect, clean }
}

/** Nobody needs to read what these report. */
const silent = Logger.remove(Logger.defaultLogger)

const tagOf = (library: Library, task: any) => library.promise.Task.from(task as never).poll()._tag

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "no finalizer is skipped, and all who wait hear the same, whoever is interrupted and whoever cancels",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { clean, effect } = held(pause)
        const task = yield* library.effect.Task.start(effect)
        const heard: Array<string> = []
        const waiter = yield* fork(
          "waiter",
          Effect.map(Effect.exit(task.await), (exit) => heard.push(exit._tag))
        )
        const canceller = yield* fork("canceller", task.cancel())
        yield* ended<unknown>(waiter, canceller)
        yield* Effect.exit(task.await)
        clean()
        const tag = tagOf(library, task)
        claim(tag === "Success" || tag === "Cancelled", `it ended as ${tag}`)
        for (const each of heard) same(each === "Success", tag === "Success", "what the waiter heard")
      })
  },
  {
    primitive,
    name: "cancelled twice: both wait for the one cleanup",
    options: { interrupt: ["a", "b"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { clean, effect, state } = held(Effect.never)
        const task = yield* library.effect.Task.start(effect)
        const cancel = Effect.tap(task.cancel(), () => Effect.sync(clean))
        const a = yield* fork("a", cancel)
        const b = yield* fork("b", Effect.zipRight(pause, cancel))
        yield* ended<unknown>(a, b)
        // Both may have been interrupted before they asked.
        yield* task.cancel()
        clean()
        claim(state.cleaned <= 1, "it was cleaned up twice")
        same(tagOf(library, task), "Cancelled", "how it ended")
      })
  },
  {
    primitive,
    name: "cancelled before its first step it does not run; after it, it cleans up",
    // The first step is one of the scheduler's: "aggressive" splits it.
    models: ["taskOrder", "elastic"],
    scenario: (library) =>
      Effect.gen(function* () {
        const { clean, effect, state } = held(Effect.never)
        const task = yield* library.effect.Task.start(effect)
        const canceller = yield* fork(
          "canceller",
          Effect.zipRight(
            task.cancelNow,
            Effect.sync(() => state.entered)
          )
        )
        const entered = yield* Effect.flatten(canceller.await)
        yield* Effect.exit(task.await)
        clean()
        same(state.entered, entered, "it was entered after it was cancelled")
      })
  },
  {
    primitive,
    name: "a failure is reported once, or somebody who waits has it",
    // Effect strips the failure off a fiber that is preempted and then interrupted while it is being told of it.
    models: ["taskOrder"],
    options: { interrupt: ["waiter"] },
    scenario: (library) =>
      Effect.suspend(() => {
        let [heard, reported] = [0, 0]
        const counting = Logger.replace(
          Logger.defaultLogger,
          Logger.make(() => void reported++)
        )
        return Effect.gen(function* () {
          const task = yield* library.effect.Task.start(Effect.zipRight(pause, Effect.fail("oops")), {
            name: "failing"
          })
          const waiter = yield* fork(
            "waiter",
            Effect.matchCauseEffect(task.await, {
              // In the step that hears of it.
              onFailure: (cause) => {
                if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
                heard++
                return Effect.void
              },
              onSuccess: () => Effect.die("it has no value")
            })
          )
          yield* ended<unknown>(waiter)
          // Nobody has heard of it: that would never end.
          while (heard + reported === 0) yield* Effect.yieldNow()
          claim(reported <= 1, `it was reported ${reported} times`)
        }).pipe(Effect.provide(counting))
      })
  },
  {
    primitive,
    name: "callbacks are called once each, also when registered late; those removed in time are not",
    // Their order is that of the stock scheduler, which the explorer changes: see the laws.
    scenario: (library) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const task = yield* library.effect.Task.start(pause)
        const call = (name: string) => task.onComplete(() => void log.push(name))
        yield* call("a")
        const { remove } = yield* call("b")
        let removed = false
        const remover = yield* fork(
          "remover",
          Effect.map(remove, (inTime) => (removed = inTime))
        )
        const late = yield* fork("late", Effect.zipRight(pause, call("c")))
        yield* ended<unknown>(remover, late)
        const last = yield* Deferred.make<void>()
        yield* task.onComplete(() => Deferred.succeed(last, undefined))
        yield* Deferred.await(last)
        while (log.length < (removed ? 2 : 3)) yield* Effect.yieldNow()
        same(log.sort(), removed ? ["a", "c"] : ["a", "b", "c"], "callbacks")
      })
  },
  {
    primitive,
    name: "a grace that is over leaves the cleanup running to its end",
    options: { interrupt: ["canceller"], bound: 0 },
    scenario: (library) =>
      Effect.gen(function* () {
        const state = { cleaned: 0 }
        const task = yield* library.effect.Task.start(
          Effect.onInterrupt(Effect.never, () =>
            Effect.zipRight(
              Effect.sleep(10),
              Effect.sync(() => state.cleaned++)
            )
          )
        )
        yield* Effect.yieldNow()
        const canceller = yield* fork("canceller", task.cancel({ grace: 5 }))
        yield* ended<unknown>(canceller)
        yield* task.cancel()
        claim(state.cleaned <= 1, "it was cleaned up twice")
        same(tagOf(library, task), "Cancelled", "how it ended")
      }).pipe(Effect.provide(silent))
  },
  {
    primitive,
    name: "promises: cancelled at any moment, all who wait hear the same, and what began is cleaned up",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        let [entered, cleaned] = [0, 0]
        const task = new promise.Task(async ({ signal }) => {
          entered++
          try {
            await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
          } finally {
            await Promise.resolve()
            cleaned++
          }
        })
        const heard: Array<string> = []
        const hear = (name: string) =>
          tasks.spawn(name, async ({ signal, step }) => {
            await step("waits")
            await task.wait({ signal }).catch((error) => {
              if (signal.aborted) throw error
              heard.push(String(error))
            })
          })
        const cancel = (name: string) =>
          tasks.spawn(name, async ({ step }) => {
            await step("cancels")
            await task.cancel("why")
            same(cleaned, entered, "cleaned up")
          })
        await settled<unknown>(hear("a"), cancel("b"), cancel("c"))
        await task.cancel("why")
        same(cleaned, entered, "cleaned up")
        for (const each of heard) same(each, "why", "what was heard")
        same(task.poll()._tag, "Cancelled", "how it ended")
      }
  },
  {
    primitive,
    name: "a fiber's task: async functions and fibers wait for it and cancel it, and hear the same",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario: (library) => async (tasks) => {
      const { clean, effect } = held(pause)
      const started = await tasks.fork("starter", library.effect.Task.start(effect)).catch(() => undefined)
      if (started === undefined) return
      const view = library.promise.Task.from(started)
      await settled<unknown>(
        tasks.fork("fiber", Effect.exit(started.await)),
        tasks.spawn("function", async ({ signal }) => {
          await view.wait({ signal }).catch((error) => {
            if (signal.aborted) throw error
          })
        }),
        tasks.spawn("canceller", async ({ step }) => {
          await step("cancels")
          await view.cancel("why")
          clean()
        })
      )
      await view.cancel("why")
      clean()
      claim(view.poll()._tag !== "Failure", "it failed")
    }
  }
]
