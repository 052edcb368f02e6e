/** What scenarios share: forks that the model "elastic" can preempt, what may become of a fiber, histories. */
import { Cause, Effect, type Exit, type Fiber } from "effect"
import { Explore, Linearizable } from "effect-concurrency/testing"

/** Throws what was claimed and does not hold. */
export const claim = (holds: boolean, message: string): void => {
  if (!holds) throw new Error(message)
}

/** Throws when two values, of plain data, differ. */
export const same = (actual: unknown, expected: unknown, what: string): void => {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`)
}

/** Forks a fiber of which nobody knows how much it has done: from its first operation on, "elastic" may preempt it. */
export const fork = <A, E>(name: string, effect: Effect.Effect<A, E>) =>
  Explore.fork(name, Effect.zipRight(Explore.work, effect))

/** Somebody else may go on here; and once this goes on, "elastic" may preempt it again. */
export const pause: Effect.Effect<void> = Effect.zipRight(Effect.yieldNow(), Explore.work)

/** Waits for fibers, which may end well or be interrupted, and not fail; gives how they ended. */
export const ended = <A>(
  ...fibers: ReadonlyArray<Fiber.RuntimeFiber<A, unknown>>
): Effect.Effect<ReadonlyArray<Exit.Exit<A, unknown>>, unknown> =>
  Effect.forEach(fibers, (fiber) =>
    Effect.flatMap(fiber.await, (exit) =>
      exit._tag === "Failure" && !Cause.isInterruptedOnly(exit.cause)
        ? Effect.failCause(exit.cause)
        : Effect.succeed(exit as Exit.Exit<A, unknown>)
    )
  )

/** Runs something between two calls, however it ends. One step begins it and takes the interruption away. */
export const between = (enter: () => void, self: Effect.Effect<void>, leave: () => void): Effect.Effect<void> =>
  Effect.uninterruptibleMask((restore) => {
    enter()
    return Effect.ensuring(restore(self), Effect.sync(leave))
  })

/** Calls a function with the value in the step in which the effect succeeds. */
export const atOnce = <A, E, B>(self: Effect.Effect<A, E>, f: (value: A) => B): Effect.Effect<B, E> =>
  Effect.matchCauseEffect(self, {
    onFailure: Effect.failCause,
    onSuccess: (value) => Effect.succeed(f(value))
  })

// ------------------------------------------------------------------------------------------------------------------------ promises

/** Waits for tasks, which may end well or be interrupted, and not fail. */
export const settled = async <A>(
  ...tasks: ReadonlyArray<PromiseLike<A>>
): Promise<ReadonlyArray<PromiseSettledResult<A>>> => {
  const results = await Promise.allSettled(tasks)
  for (const result of results) if (result.status === "rejected" && !isInterruption(result.reason)) throw result.reason
  return results
}

const isInterruption = (reason: any): boolean =>
  reason?.name === "AbortError" || reason?._tag === "InterruptedException" || reason?.name === "InterruptedException"

// ------------------------------------------------------------------------------------------------------------------------ histories

type AnySpec = Linearizable.Spec<any, any, any>
type AnyOperation = readonly [string, ...ReadonlyArray<any>]

/** Decides whether histories are those of a model. Schedules in their thousands make the same few: it remembers. */
export const judge = (spec: AnySpec) => {
  const verdicts = new Map<string, string | undefined>()
  return (history: Linearizable.History<any, any>): void => {
    const key = keyOf(history)
    if (!verdicts.has(key)) {
      if (verdicts.size > 50_000) verdicts.clear()
      const verdict = Linearizable.check(spec, history)
      verdicts.set(key, verdict.linearizable ? undefined : verdict.explanation)
    }
    const explanation = verdicts.get(key)
    if (explanation !== undefined) throw new Error(explanation)
  }
}

/**
 * A text that is the same for histories of which one verdict is true: only who ended, or was seen to wait, before whose call matters. So time is
 * counted in rounds, of calls and then of ends.
 */
const keyOf = (history: Linearizable.History<any, any>): string => {
  const kinds: Array<"call" | "end"> = []
  for (const { called, waiting, ...rest } of history) {
    kinds[called] = "call"
    if (waiting !== undefined) kinds[waiting] = "end"
    if ("returned" in rest) kinds[rest.returned] = "end"
  }
  let round = 0
  const rounds = kinds.map((kind, time) => (kind === "call" && kinds[time - 1] === "end" ? ++round : round))
  const lines = history.map(({ called, operation, status, waiting, who, ...rest }) => {
    const { result, returned } = rest as { result?: unknown; returned?: number }
    const end = returned === undefined ? "" : rounds[returned]
    return `${who} ${String(operation)} ${rounds[called]} ${waiting === undefined ? "" : rounds[waiting]} ${end} ${status} ${show(result)}`
  })
  return lines.sort().join("\n")
}

const show = (result: any): string => {
  if (typeof result !== "object" || result === null) return String(result)
  if (result._tag !== "Failed") return JSON.stringify(result)
  return `${result.error?._tag ?? result.error?.name} ${String(result.error?.message ?? result.error)}`
}

/**
 * A history, and who is seen to stand in line: when as many wait as have called and not returned, then all of them do. An interruption is
 * "pending", which claims nothing of what was done.
 */
export class Recording {
  readonly recorder = Linearizable.recorder<AnyOperation, any>()
  private readonly open = new Set<string>()

  constructor(
    private readonly judgement: (history: Linearizable.History<any, any>) => void,
    private readonly inLine: () => number
  ) {}

  private look(): void {
    if (this.open.size > 0 && this.inLine() === this.open.size) {
      for (const who of this.open) this.recorder.waiting(who)
    }
  }

  /** An operation that does not wait. */
  readonly call = <A, E>(who: string, operation: AnyOperation, self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      this.look()
      return this.recorder.effect(who, operation, self)
    })

  /** An operation that may wait, in the line that is looked at. */
  readonly wait = <A, E>(who: string, operation: AnyOperation, self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      this.look()
      this.open.add(who)
      return Effect.matchCauseEffect(this.recorder.effect(who, operation, self), {
        onFailure: (cause) => {
          this.open.delete(who)
          return Effect.failCause(cause)
        },
        onSuccess: (value) => {
          this.open.delete(who)
          return Effect.succeed(value)
        }
      })
    })

  /** What is done with a lock, as two operations: `acquire`, which may wait, and the release when it has ended. Gives whether it ran. */
  readonly section = (
    who: string,
    acquire: AnyOperation,
    hold: (body: Effect.Effect<boolean>) => Effect.Effect<unknown>,
    body: Effect.Effect<void> = pause
  ): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      this.look()
      const acquiring = this.recorder.begin(who, acquire)
      if (acquire[0] === "acquire") this.open.add(who)
      let releasing: Linearizable.Call<any> | undefined
      const work = Effect.suspend(() => {
        this.open.delete(who)
        acquiring.returned(acquire[0] === "acquire" ? undefined : true)
        return Effect.map(body, () => {
          releasing = this.recorder.begin(who, ["release"])
          return true
        })
      })
      return Effect.map(hold(work), () => {
        if (releasing === undefined) acquiring.returned(false)
        else releasing.returned(undefined)
        return releasing !== undefined
      })
    })

  /** Throws when no order explains it. Nothing can happen any more. */
  check(): void {
    this.judgement(this.recorder.historyAtRest)
  }
}
