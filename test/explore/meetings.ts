/** Stores of flags and of barriers somewhere else: they take their time to decide, and their answers take some, too. What they tell may be lost. */
import { Effect, type Scope } from "effect"
import type { LatchStore, PartyStore } from "effect-concurrency/distributed"
import { MemoryLatches } from "../../src/core/memoryLatches.js"
import { MemoryParties } from "../../src/core/memoryParties.js"
import type { Explored, Library } from "./scenario.js"
import { claim, pause, same } from "./tools.js"

const clock = { now: () => performance.now() }

/** Who has asked for nothing more, and watches nothing. */
type Stats = () => { readonly waiting: number }

class Slow {
  /** How many questions fail: before they arrive, or after. */
  failures: Array<"lost" | "unanswered"> = []
  isDeaf = false
  /** Whether nothing is answered any more. */
  isDead = false
  readonly answered: Array<string> = []
  /** How many questions were put that the store has not answered. They count from when they are put: what puts them may be held up before it begins. */
  underWay = 0
  private asked = 0

  constructor(protected readonly store: { watch(name: string, f: () => void): () => void; readonly watched: number }) {}

  protected ask<A>(operation: string, f: () => A): Effect.Effect<A, "down"> {
    this.underWay++
    const asked = Effect.suspend(() => {
      this.asked++
      if (this.isDead) return Effect.never
      const failure = this.failures.shift()
      const decide = Effect.suspend(() => {
        if (failure === "lost") return Effect.fail("down" as const)
        const answer = f()
        this.answered.push(operation)
        return failure === "unanswered" ? Effect.fail("down" as const) : Effect.succeed(answer)
      })
      return Effect.zipLeft(Effect.zipRight(pause, decide), pause)
    })
    return Effect.ensuring(
      asked,
      Effect.sync(() => void this.underWay--)
    )
  }

  readonly watch = (name: string, changed: () => void): Effect.Effect<void, never, Scope.Scope> =>
    Effect.zipRight(
      pause,
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => this.store.watch(name, () => this.isDeaf || changed())),
          (stop) => Effect.sync(stop)
        )
      )
    )

  count(operation: string): number {
    return this.answered.filter((each) => each === operation).length
  }

  /** What is on its way arrives, and then nothing is watched or asked. */
  comesToRest(stats: Stats) {
    return Effect.gen(this, function* () {
      yield* Effect.repeat(Effect.sleep(20), { until: () => this.store.watched === 0, times: 5 })
      same(stats(), { waiting: 0 }, "stats")
      same(this.store.watched, 0, "what is watched in the store")
      const { asked } = this
      yield* Effect.sleep(500)
      same(this.asked, asked, "questions after the end")
    })
  }
}

export class SlowLatches extends Slow implements LatchStore.LatchStoreShape<"down"> {
  constructor(readonly latches = new MemoryLatches(clock)) {
    super(latches)
  }

  readonly set = (request: LatchStore.SetRequest) => this.ask("set", () => this.latches.set(request))
  readonly clear = (name: string) => this.ask("clear", () => this.latches.clear(name))
  readonly pulse = (name: string) => this.ask("pulse", () => this.latches.pulse(name))
  readonly look = (name: string) => this.ask("look", () => this.latches.look(name))

  /** Sets a flag, and clears it. */
  flash(name: string): void {
    this.latches.set({ name })
    this.latches.clear(name)
  }
}

export class SlowParties extends Slow implements PartyStore.PartyStoreShape<"down"> {
  constructor(readonly parties = new MemoryParties(clock)) {
    super(parties)
  }

  private readonly arrivals: Array<PartyStore.ArriveRequest> = []

  readonly arrive = (request: PartyStore.ArriveRequest) => {
    this.arrivals.push(request)
    return this.ask("arrive", () => this.parties.arrive(request))
  }
  readonly renew = (request: PartyStore.PartyRequest) => this.ask("renew", () => this.parties.renew(request))
  readonly withdraw = (request: PartyStore.WithdrawRequest) =>
    this.ask("withdraw", () => this.parties.withdraw(request))
  readonly reset = (name: string) => this.ask("reset", () => this.parties.reset(name))
  readonly abort = (name: string) => this.ask("abort", () => this.parties.abort(name))
  readonly isBroken = (name: string) => this.ask("isBroken", () => this.parties.isBroken(name))

  /** How many wait that came by here, by the store's account. */
  get waiting(): number {
    return this.arrivals.filter((request) => this.parties.renew(request).kind === "waiting").length
  }

  check(): void {
    this.parties.check()
    claim(!this.parties.isBroken("barrier:x"), "it is broken")
  }
}

/** A store in memory for plain code, which answers a tick later. */
export const slowly = <S extends object>(store: S): any =>
  new Proxy(store, {
    get:
      (_, name) =>
      async (...args: ReadonlyArray<unknown>) => {
        await Promise.resolve()
        return (store as any)[name](...args)
      }
  })

/** What is woken is woken by what the store tells. */
export const longPoll = 60_000

/** Fails when somebody was woken by the poll. */
export const inTime = (limit = longPoll / 3): void =>
  claim(performance.now() < limit, `a wake-up was lost: it is ${performance.now()}`)

/**
 * A claim, and the same with another: that nobody had to wait for the poll. Where a fiber is preempted for so long that time passes, that is not to be
 * had: so it is checked in the order in which tasks were scheduled.
 */
export const both = ({
  scenario,
  ...explored
}: Omit<Explored, "scenario"> & {
  readonly scenario: (library: Library, inTime: () => void) => ReturnType<Explored["scenario"]>
}): ReadonlyArray<Explored> => [
  { ...explored, scenario: (library) => scenario(library, () => {}) },
  {
    ...explored,
    name: `${explored.name}, long before the poll`,
    models: ["taskOrder"],
    scenario: (library) => scenario(library, inTime)
  }
]
