import { Cause, Effect, Exit } from "effect"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "Shield"

const make = ({ effect, promise }: Library, told = Effect.void) => {
  let reports = 0
  const shield = effect.Shield.makeUnsafe({ onError: () => Effect.map(told, () => reports++) })
  const view = promise.Shield.from(shield)
  const atRest = () => same(view.stats().running, 0, "what still runs")
  return { shield, view, atRest, reports: () => reports }
}

/** Work that counts its beginnings and its ends. */
const counting = () => {
  const counts = { began: 0, over: 0 }
  const work = Effect.zipRight(
    Effect.sync(() => counts.began++),
    Effect.zipRight(
      pause,
      Effect.sync(() => counts.over++)
    )
  )
  return { counts, work }
}

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "work that began ends, wherever its caller is interrupted",
    options: { interrupt: ["a", "b"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, shield } = make(library)
        const [first, second] = [counting(), counting()]
        const a = yield* fork("a", shield.shield(first.work))
        const b = yield* fork(
          "b",
          Effect.onExit(shield.critical(second.work), () =>
            Effect.sync(() => same(second.counts.over, second.counts.began, "critical work whose caller goes on"))
          )
        )
        yield* ended<unknown>(a, b)
        yield* shield.awaitEmpty
        for (const { counts } of [first, second]) same(counts.over, counts.began, "work that has ended")
        atRest()
      })
  },
  {
    primitive,
    name: "a failure has its caller, or is reported, once, also in the tick of the interruption",
    options: { interrupt: ["a", "b"] },
    // In "aggressive", Effect itself drops a failure that is interrupted in its own step.
    models: ["taskOrder", "elastic"],
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, reports, shield } = make(library)
        let failed = 0
        const work = Effect.zipRight(
          pause,
          Effect.suspend(() => {
            failed++
            return Effect.fail("oops")
          })
        )
        const a = yield* fork("a", Effect.exit(shield.shield(work)))
        const b = yield* fork("b", Effect.exit(shield.critical(work)))
        const exits = yield* ended<Exit.Exit<unknown, unknown>>(a, b)
        yield* shield.awaitEmpty
        // Whoever reports late may do so in a turn of its own.
        yield* pause
        yield* pause
        const told = exits.filter((exit) => Exit.isSuccess(exit) && Exit.isFailure(exit.value)).length
        same(told + reports(), failed, "who was told, and reports")
        atRest()
      })
  },
  {
    primitive,
    name: "closing waits for all that was taken in; what comes later is refused",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, shield } = make(library)
        const { counts, work } = counting()
        let refused = 0
        const caller = yield* fork(
          "caller",
          Effect.catchTag(shield.shield(work), "ShieldClosed", () => Effect.sync(() => refused++))
        )
        const closer = yield* fork("closer", shield.close)
        const [exit] = yield* ended<ReadonlyArray<string>>(closer)
        claim(Exit.isSuccess(exit!) && exit.value.length === 0, "something was left behind")
        same(counts.over, counts.began, "work that had ended when the shield was closed")
        yield* ended<unknown>(caller)
        same(refused + counts.over, 1, "refused or done")
        atRest()
      })
  },
  {
    primitive,
    name: "a closing has ended when each failure is somebody's or reported, and nothing is given up, whoever is interrupted",
    options: { interrupt: ["a", "b"] },
    // As above.
    models: ["taskOrder", "elastic"],
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, reports, shield } = make(library, pause)
        let failed = 0
        const work = Effect.suspend(() => {
          failed++
          return Effect.fail("oops")
        })
        const refused = () => Effect.void
        const a = yield* fork("a", Effect.exit(Effect.catchTag(shield.shield(work), "ShieldClosed", refused)))
        const b = yield* fork("b", Effect.exit(Effect.catchTag(shield.critical(work), "ShieldClosed", refused)))
        const closer = yield* fork(
          "closer",
          Effect.map(shield.close, (left) => [left, reports()] as const)
        )
        const [exit] = yield* ended(closer)
        const exits = yield* ended<Exit.Exit<unknown, unknown>>(a, b)
        const told = exits.filter((exit) => Exit.isSuccess(exit) && Exit.isFailure(exit.value)).length
        for (let i = 0; i < 4; i++) yield* pause
        same(told + reports(), failed, "who was told, and reports")
        same(
          Exit.isSuccess(exit!) && exit.value,
          [[], reports()],
          "what was given up, and reports before it was closed"
        )
        atRest()
      })
  },
  {
    primitive,
    name: "a work whose caller is in a hurry, and a critical one in it: the inner one ends before the outer",
    options: { interrupt: ["caller"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, shield } = make(library)
        const order: Array<string> = []
        const inner = Effect.map(pause, () => order.push("inner"))
        const caller = yield* fork(
          "caller",
          shield.shield(Effect.map(shield.critical(inner), () => order.push("outer")))
        )
        const exit = yield* caller.await
        claim(Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause), "it failed")
        yield* shield.awaitEmpty
        claim(["", "inner,outer"].includes(order.join()), `in the wrong order: ${order.join()}`)
        atRest()
      })
  },
  {
    primitive,
    name: "promises: a failure has its caller, or is reported, once, however many shield one promise",
    models: ["taskOrder"],
    options: { interrupt: ["a", "b"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        let reports = 0
        let told = 0
        const shield = new promise.Shield({ onError: () => void reports++ })
        let fail!: (error: unknown) => void
        const shared = new Promise<never>((_, reject) => (fail = reject))
        const caller = (who: string) =>
          tasks.spawn(who, async ({ signal, step }) => {
            await step()
            await shield.shield(shared, { signal }).catch((error: unknown) => {
              if (error !== "oops") throw error
              told++
            })
          })
        const failing = tasks.spawn("failing", async ({ step }) => {
          await step()
          fail("oops")
        })
        shared.catch(() => undefined)
        await settled<unknown>(caller("a"), caller("b"), failing)
        // Whoever comes after the report hears of it, too.
        claim(reports <= 1, `${reports} reports`)
        claim(told > 0 || reports > 0, "nobody heard of it")
        same(await shield.close(), [], "what was left behind")
      }
  },
  {
    primitive,
    name: "fibers and async functions share a shield: its end waits for both",
    models: ["taskOrder", "aggressive"],
    scenario: (library) => async (tasks) => {
      const { atRest, shield, view } = make(library)
      const { counts, work } = counting()
      let done = false
      const task = tasks.spawn("task", async ({ step }) => {
        await view
          .shield(async () => {
            await step()
            done = true
          })
          .catch((error: { readonly _tag?: string }) => {
            if (error._tag !== "ShieldClosed") throw error
            done = true
          })
      })
      const fiber = tasks.fork(
        "fiber",
        Effect.catchTag(shield.critical(work), "ShieldClosed", () => Effect.void)
      )
      const closer = tasks.fork(
        "closer",
        Effect.map(Effect.zipRight(pause, shield.close), (left) => {
          same(left, [], "what was left behind")
          same(counts.over, counts.began, "the fiber's work")
        })
      )
      await settled<unknown>(task, fiber, closer)
      claim(done, "the async function has not ended")
      atRest()
    }
  }
]
