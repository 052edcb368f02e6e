import { Deferred, Effect, Exit } from "effect"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "Deferred"

/** A result that both sides settle, and what each of those was told. */
const shared = ({ effect, promise }: Library) =>
  Effect.map(Deferred.make<string, string>(), (deferred) => {
    const said: Array<string> = []
    const plain = promise.Deferred.from<string>(effect.Task.shareDeferred(deferred))
    const note = (who: string) => (did: boolean) => void (did && said.push(who))
    return {
      deferred,
      plain,
      fromEffect: Effect.map(Deferred.succeed(deferred, "effect"), note("effect")),
      fails: Effect.map(Deferred.fail(deferred, "fails"), note("fails")),
      fromPlain: () => note("plain")(plain.resolve("plain")),
      rejects: () => note("rejects")(plain.reject("rejects")),
      /** Exactly one of them was told that it has settled it. */
      said: (): string => {
        same(said.length, 1, `who has settled it: ${said.join()}; how many`)
        return said[0]!
      }
    }
  })

const waiting = ({ plain }: { readonly plain: any }): number =>
  plain["~effect-concurrency/Deferred"].result().waiting?.size ?? 0

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "settled from either side at once, one of them has done it, and all who wait hear of that one",
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { deferred, fails, fromEffect, fromPlain, plain, said } = yield* shared(library)
        const heard: Array<string> = []
        const hear = Effect.map(Effect.merge(Deferred.await(deferred)), (value) => heard.push(value))
        const a = yield* fork("a", hear)
        const b = yield* fork("b", Effect.zipRight(pause, hear))
        const setter = yield* fork("setter", Effect.zipRight(pause, fromEffect))
        const failing = yield* fork("failing", Effect.zipRight(pause, fails))
        const other = yield* fork("other", Effect.zipRight(pause, Effect.sync(fromPlain)))
        yield* ended<unknown>(a, b, setter, failing, other)
        claim(plain.isSettled, "it is not settled")
        for (const each of heard) same(each, said(), "what was heard")
        claim(heard.length > 0, "nobody has heard of it")
      })
  },
  {
    primitive,
    name: "who is interrupted in the tick of the grant leaves nothing behind, and the others hear of it",
    options: { interrupt: ["a", "b"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { deferred, fromPlain, plain } = yield* shared(library)
        const wait = Effect.merge(Deferred.await(deferred))
        const a = yield* fork("a", wait)
        const b = yield* fork("b", Effect.zipRight(pause, wait))
        const setter = yield* fork("setter", Effect.zipRight(pause, Effect.sync(fromPlain)))
        yield* ended<unknown>(setter)
        for (const exit of yield* ended(a, b)) if (Exit.isSuccess(exit)) same(exit.value, "plain", "what was heard")
        same(yield* wait, "plain", "what is heard later")
        same(waiting({ plain }), 0, "how many wait")
      })
  },
  {
    primitive,
    name: "promises: one of two has settled it, and whoever waits hears of that one or leaves, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const deferred = new promise.Deferred<string>()
        const said: Array<string> = []
        const hear = (name: string) =>
          tasks.spawn(name, async ({ signal, step }) => {
            await step("waits")
            try {
              same(await deferred.wait({ signal }), said[0], "what was heard")
            } catch (error) {
              if (error !== "refused") throw error
              same(said[0], "rejected", "who has settled it")
            }
          })
        const settle = (name: string, how: () => boolean) =>
          tasks.spawn(name, async ({ step }) => {
            await step("settles")
            if (how()) said.push(name)
          })
        await settled<unknown>(
          hear("a"),
          hear("b"),
          settle("resolved", () => deferred.resolve("resolved")),
          settle("rejected", () => deferred.reject("refused")),
          // Whoever is aborted before that has settled nothing.
          tasks.spawn("last", async ({ step }) => {
            await step("looks")
            if (deferred.resolve("last")) said.push("last")
          })
        )
        if (deferred.resolve("end")) said.push("end")
        same(said.length, 1, `who has settled it: ${said.join()}; how many`)
        same(waiting({ plain: deferred }), 0, "how many wait")
      }
  },
  {
    primitive,
    name: "a fiber and an async function settle it and wait for it: one has done it, and both hear the same",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: ["fiber", "function"] },
    scenario: (library) => async (tasks) => {
      const { deferred, fromEffect, plain, rejects, said } = Effect.runSync(shared(library))
      const heard: Array<unknown> = []
      await settled<unknown>(
        tasks.fork(
          "fiber",
          Effect.map(Effect.merge(Deferred.await(deferred)), (value) => heard.push(value))
        ),
        tasks.spawn("function", async ({ signal, step }) => {
          await step("waits")
          const value = await plain.wait({ signal }).catch((error: unknown) => {
            if (signal.aborted) throw error
            return error
          })
          heard.push(value)
        }),
        tasks.fork("setter", Effect.zipRight(pause, fromEffect)),
        tasks.spawn("rejecter", async ({ step }) => {
          await step("rejects")
          rejects()
        })
      )
      for (const each of heard) same(each, said(), "what was heard")
      same([said().length > 0, waiting({ plain })], [true, 0], "settled, and how many wait")
    }
  }
]
