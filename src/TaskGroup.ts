/**
 * A task group: several tasks that end together. When one fails the others are interrupted, and nobody goes on before all have ended.
 *
 * It corresponds to `asyncio.TaskGroup`, with these differences:
 *
 * - One error comes as it is. Only when several tasks fail is there one `TaskGroupError` with all of them, in order of their start rather
 *   than of their failure. (Python's is a group always.)
 * - When the group is interrupted from outside and a task fails while it cleans up, both come, in one cause. (In Python the errors come
 *   first, and the cancellation at the next await.) The errors are defects then, since Effect drops failures on their way through a fiber
 *   that is interrupted.
 * - The body is a fiber of its own: it can be interrupted and the caller go on. So there is no parent task that has to be there, no
 *   "re-entering", and nothing to `uncancel`.
 * - `cancel` ends the tasks, and not the body, as the value of the body is that of the group. (Python's ends the body too.)
 * - Defects take the place of `KeyboardInterrupt` and `SystemExit`. They hide no other error: the `TaskGroupError` is a defect when one of
 *   its errors is one.
 * - There is no `GeneratorExit`. An iterator or a stream that is left early closes its scope, and a scope that closes well waits for the
 *   tasks of its group. (Python's are cancelled.) To stop them, `cancel` the group first.
 *
 * As there: a task that is interrupted on its own does not end the group, a task that is interrupted before its first step does not run,
 * and a body that waits for a task that fails is interrupted rather than told.
 *
 * A group has nothing to set, and belongs to a block. `TaskGroup.Service` is for a program that is that block as a whole.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { callable, expect, misuse, record, refusal } from "./core/arguments.js"
import * as running from "./core/running.js"
import * as core from "./core/taskGroup.js"
import { TaskGroupClosed, TaskGroupError } from "./core/taskGroup.js"
import { wake } from "./core/ticket.js"
import {
  type AnyFiber,
  catchCause,
  dieInterrupted,
  errorsOf,
  forkDetached,
  hasDefect,
  inheritFrom,
  isInterruptedOnly,
  type RunningFiber,
  withFiber
} from "./internal/effect.js"
import { type Insiders, isInside } from "./internal/insiders.js"
import { FiberTicket, type Restore } from "./internal/park.js"
import { report } from "./internal/report.js"
import * as service from "./internal/service.js"
import { forget, work, Worker } from "./internal/worker.js"

export {
  /**
   * The group takes no task: it is stopping, or has ended. In a group with a scope `start` fails with it. In a group with a body it is a
   * defect: whoever meets it is to stop as well, or has kept a group that has ended.
   *
   * @since 0.1.0
   * @category errors
   */
  TaskGroupClosed,
  /**
   * Several tasks of a group have failed; or one has, and the group was interrupted from outside.
   *
   * @since 0.1.0
   * @category errors
   */
  TaskGroupError
}

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = core.TypeId

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = core.TypeId

/**
 * How a task is started.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** For messages, and for whoever looks. */
  readonly name?: string | undefined
}

/**
 * What a group fails with whose tasks and body fail with `E`: with one of their errors, or with several in one. Defects are no part of it.
 *
 * @since 0.1.0
 * @category models
 */
export type GroupError<E> = [E] extends [never] ? never : E | TaskGroupError<E>

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * Tasks that end together. `E` is what they may fail with; it has to be said, as in `TaskGroup<HttpError>`. `Closed` is what `start` may
 * fail with: nothing, or `TaskGroupClosed` in a group with a scope.
 *
 * **When to use**: for several pieces of one piece of work, of which there may become more while they run. When you know them all before,
 * `Effect.all` will do. For work that nobody waits for, use `Background`.
 *
 * **Details**: a task runs from the next turn on, with the services of whoever starts it. When it fails, all others and the body are
 * interrupted at once, and the group refuses further tasks.
 *
 * **Interruption**: whoever starts a task may be interrupted, and the task goes on. Whoever interrupts a task interrupts nobody else.
 *
 * @example
 * import { TaskGroup } from "effect-concurrency"
 * import { Effect, Fiber } from "effect"
 *
 * const program = TaskGroup.run((group) =>
 *   Effect.gen(function* () {
 *     const six = yield* group.start(Effect.succeed(6))
 *     const seven = yield* group.start(Effect.succeed(7), { name: "seven" })
 *     return (yield* Fiber.join(six)) * (yield* Fiber.join(seven))
 *   })
 * )
 *
 * console.log(await Effect.runPromise(program)) // => 42
 *
 * @since 0.1.0
 * @category models
 */
export interface TaskGroup<in out E = never, out Closed = never> {
  readonly [TypeId]: core.State & { readonly _E?: (error: E) => E; readonly _Closed?: () => Closed }

  /**
   * Starts an effect as a task of the group, and gives its fiber, to join, to wait for, or to interrupt. A group that is stopping or has
   * ended refuses it with `TaskGroupClosed`: a failure where the group has a scope, a defect where it has a body.
   */
  start<A, E1 extends E, R>(
    effect: Effect.Effect<A, E1, R>,
    options?: Options
  ): Effect.Effect<Fiber.Fiber<A, E1>, Closed, R>

  /**
   * Ends the group early, and well: all tasks are interrupted, whoever calls it as well if it is one, and no further one is taken. The body
   * goes on. Nothing happens when it was done before, or the group has ended.
   */
  readonly cancel: Effect.Effect<void>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

/**
 * A group without a body: it ends with its scope. Its tasks may be started from anywhere, and so may come too late.
 *
 * @since 0.1.0
 * @category models
 */
export interface Scoped<in out E = never> extends TaskGroup<E, TaskGroupClosed> {
  /**
   * Waits until all tasks have ended, also those that are started meanwhile, and fails with what they failed with. After that the group has
   * ended. The errors are given to the first who joins.
   *
   * From within one of the tasks it is a defect: the group would wait for that task, and so the task for itself. (A fiber that a task has
   * forked may join.)
   *
   * **Interruption**: interrupts all tasks, and waits for them.
   */
  readonly join: Effect.Effect<void, GroupError<E>>
}

class Member extends Worker<core.Stop> implements core.Member {
  constructor(
    name: string | undefined,
    readonly order: number
  ) {
    super(name)
  }
}

class TaskGroupImpl<E> implements Scoped<E> {
  readonly [TypeId]: core.State
  readonly body: Member
  private readonly insiders: Insiders = new Map()

  constructor(keeper: core.State["keeper"]) {
    let body: Member
    this[TypeId] = core.make(keeper, (name, order) => (body = new Member(name, order)))
    this.body = body!
  }

  start<A, E1 extends E, R>(
    effect: Effect.Effect<A, E1, R>,
    options: Options = {}
  ): Effect.Effect<Fiber.Fiber<A, E1>, TaskGroupClosed, R> {
    return Effect.uninterruptible(
      Effect.suspend((): Effect.Effect<Fiber.Fiber<A, E1>, TaskGroupClosed, R> => {
        const where = "TaskGroup.start"
        const { name } = record(where, options)
        if (!Effect.isEffect(effect)) throw refusal(where, "effect", "an effect", effect)
        expect(name === undefined || typeof name === "string", where, "name", "a string", name)
        const state = this[TypeId]
        const place = core.enter(state, name)
        if (place instanceof TaskGroupClosed) return state.keeper === "scope" ? Effect.fail(place) : Effect.die(place)
        const member = new Member(name, place)
        core.start(state, member)
        return this.fork(member, effect)
      })
    )
  }

  /** For uninterruptible regions. */
  fork<A, E1, R>(member: Member, effect: Effect.Effect<A, E1, R>): Effect.Effect<RunningFiber<A, E1>, never, R> {
    const state = this[TypeId]
    const end = (how: core.End) => {
      forget(this.insiders, member)
      wake(core.end(state, member, how))
    }
    return work(member, this.insiders, effect, {
      onFailure: (cause) => {
        end(endOf(state, cause))
        return Effect.failCause(cause)
      },
      onSuccess: (value) => {
        end("done")
        return Effect.succeed(value)
      }
    })
  }

  /** Waits until all have ended, however often it is interrupted. The first time is what the group is told. */
  ended<A>(restore: Restore, result: () => Effect.Effect<A>): Effect.Effect<A, GroupError<E>> {
    const state = this[TypeId]
    const ticket = new FiberTicket<undefined, undefined>(undefined, 0, "the tasks of a group to end")
    wake(running.enqueue(state.members, ticket))
    type Ended = Effect.Effect<A, GroupError<E>>
    const settled = (interruption?: Cause.Cause<never>): Ended => {
      const outcome = core.claim(state, false)
      if (outcome?.failed !== true) return interruption ? Effect.failCause(interruption) : result()
      if (interruption) return Effect.failCause(dieInterrupted(outcome.error, interruption))
      if (outcome.cause !== undefined) return Effect.failCause(outcome.cause as Cause.Cause<GroupError<E>>)
      return outcome.fatal ? Effect.die(outcome.error) : Effect.fail(outcome.error as GroupError<E>)
    }
    return Effect.matchCauseEffect(restore(ticket.settlement), {
      onFailure: (interruption): Ended => {
        wake(core.outside(state, undefined))
        return Effect.flatMap(ticket.settlement, () => settled(interruption))
      },
      onSuccess: () => settled()
    })
  }

  get cancel(): Effect.Effect<void> {
    return Effect.sync(() => wake(core.cancel(this[TypeId], undefined)))
  }

  get join(): Effect.Effect<void, GroupError<E>> {
    return withFiber((fiber) =>
      this.isInside(fiber) ? Effect.die(misuse("TaskGroup.join", core.itself)) : this.joined
    )
  }

  private get joined(): Effect.Effect<void, GroupError<E>> {
    return Effect.uninterruptibleMask((restore) => {
      wake(core.endScope(this[TypeId]))
      return this.ended(restore, () => Effect.void)
    })
  }

  /** The end of its scope. A task that closes that cannot wait for it; the group ends all the same, and its failures are reported. */
  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return withFiber((fiber) => {
      if (exit._tag === "Failure") wake(core.outside(this[TypeId], undefined))
      if (!this.isInside(fiber)) return Effect.orDie(this.joined)
      const told = catchCause(this.joined, (cause) =>
        report({ where: "TaskGroup", name: undefined, message: "it failed, and nobody waits for it", cause })
      )
      return Effect.zipRight(forkDetached(told), Effect.die(misuse("TaskGroup.make", core.itself)))
    })
  }

  private isInside(fiber: AnyFiber): boolean {
    return isInside(this.insiders, fiber, this[TypeId].members)
  }

  get stats(): Effect.Effect<Stats> {
    return Effect.sync(() => core.stats(this[TypeId]))
  }
}

/** What the end of a fiber means to its group. A refusal by the group that stops is no news. */
const endOf = (state: core.State, cause: Cause.Cause<unknown>): core.End => {
  if (isInterruptedOnly(cause)) return "cancelled"
  const errors = errorsOf(cause)
  const news = errors.filter((error) => !core.isRefusal(state, error))
  return news.length > 0
    ? { errors: news, fatal: hasDefect(cause), cause: news.length === errors.length ? cause : undefined }
    : "cancelled"
}

/**
 * Runs a body that may start tasks, waits until all have ended, and gives what the body gives.
 *
 * **When to use**: for several pieces of one piece of work that succeed or fail as a whole.
 *
 * **Details**: when a task or the body fails, all others are interrupted, their finalizers run, and the group fails: with the one error, or
 * with a `TaskGroupError` that has all of them in order of their start, the body's last. Tasks may start tasks, also after the body has
 * ended. What ignores its interruption is waited for. An `Effect.interrupt` in the body ends the group like an interruption from outside.
 *
 * **Interruption**: interrupts the tasks and the body, and waits for all of them, however often it is interrupted. The caller is
 * then interrupted; errors of those who failed meanwhile are defects in the same cause.
 *
 * `Effect.timeout` around a group drops that cause, and with it the errors of those who failed while they cleaned up. Put it around the
 * body instead, and have the body wait for its tasks: `TaskGroup.run((group) => Effect.timeout(body(group), "1 second"))`. The group then
 * fails with the `TimeoutException` and those errors together.
 *
 * @example
 * import { TaskGroup } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const log: Array<string> = []
 * const slow = Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("slow is interrupted")))
 *
 * const program = TaskGroup.run((group: TaskGroup.TaskGroup<string>) =>
 *   Effect.gen(function* () {
 *     yield* group.start(slow)
 *     yield* group.start(Effect.fail("no route"))
 *     return yield* Effect.never
 *   })
 * )
 *
 * console.log(await Effect.runPromise(Effect.flip(program))) // => no route
 * console.log(log) // => [ 'slow is interrupted' ]
 *
 * @see TaskGroup.make for a group that lives as long as a scope
 * @since 0.1.0
 * @category constructors
 */
export const run = <A, E, R, GE = never>(
  body: (group: TaskGroup<GE>) => Effect.Effect<A, E, R>
): Effect.Effect<A, GroupError<E | GE>, R> =>
  Effect.uninterruptibleMask((restore) => {
    callable("TaskGroup.run", "body", body)
    const group = new TaskGroupImpl<E | GE>("body")
    const effect = Effect.suspend(() => {
      const result: unknown = body(group as unknown as TaskGroup<GE>)
      if (!Effect.isEffect(result)) throw refusal("TaskGroup.run", "body", "a function that returns an effect", result)
      return result as Effect.Effect<A, E, R>
    })
    return Effect.flatMap(group.fork(group.body, effect), (fiber) =>
      group.ended(restore, () =>
        Effect.flatMap(fiber.await, (exit: Exit.Exit<A, E>) =>
          exit._tag === "Success"
            ? Effect.as(inheritFrom(fiber), exit.value)
            : // It was interrupted: anything else, the group has failed with.
              Effect.failCause(exit.cause as Cause.Cause<never>)
        )
      )
    )
  })

/**
 * Makes a group that lives as long as a scope.
 *
 * **When to use**: where tasks are started from many places: the connections of a server, say. Where one function starts them,
 * `TaskGroup.run` also ends that function when a task fails.
 *
 * **Details**: when a task fails, the others are interrupted and no further one is taken. `join` hears of it; when nobody has joined by
 * the time that the scope closes, the closing dies with it. A scope that closes well waits for the tasks; one that fails or is interrupted
 * interrupts them first.
 *
 * **Interruption**: see `join`.
 *
 * @example
 * import { TaskGroup } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const log: Array<string> = []
 *   const group = yield* TaskGroup.make()
 *   yield* group.start(Effect.sync(() => log.push("one")))
 *   yield* group.start(Effect.sync(() => log.push("two")))
 *   yield* group.join
 *   return log
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => [ 'one', 'two' ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E = never>(): Effect.Effect<Scoped<E>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new TaskGroupImpl<E>("scope")),
    (group, exit) => group.close(exit)
  )

/**
 * A service class: a tag, its layer, and the operations of a `TaskGroup` on whichever one is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, E> extends service.ServiceClass<
  Self,
  Id,
  Scoped<E>,
  never,
  never
> {
  readonly start: <A, E1 extends E, R>(
    effect: Effect.Effect<A, E1, R>,
    options?: Options
  ) => Effect.Effect<Fiber.Fiber<A, E1>, TaskGroupClosed, R | Self>
  readonly join: Effect.Effect<void, GroupError<E>, Self>
  readonly cancel: Effect.Effect<void, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A group as a service: it lives as long as its layer, and whoever has the layer may start tasks in it. `E` is what they may fail with.
 *
 * **When to use**: for pieces of one piece of work that are started in many places, when that work is the program itself: the connections
 * of a server, the parts of an import. Where a task that fails should not end the others, use `Background.Service`.
 *
 * **Details**: the group is that of `make`. When a task fails, the others are interrupted, and no further one is taken; `join` hears of it,
 * and when nobody has joined, the layer dies with it as it closes. A layer that closes because the program has ended well waits for the
 * tasks, and one that closes because it failed or was interrupted interrupts them first. `cancel` ends tasks that would go on for ever. (The
 * `dispose` of a `ManagedRuntime` closes its layers well, whatever the programs did that it ran, and so waits for the tasks: `cancel` first.)
 *
 * @example
 * import { TaskGroup } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class Connections extends TaskGroup.Service<Connections, string>()("app/Connections") {}
 *
 * const program = Effect.gen(function* () {
 *   yield* Connections.start(Effect.never, { name: "one" })
 *   yield* Connections.start(Effect.fail("no route"), { name: "two" })
 *   return yield* Effect.flip(Connections.join)
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(Connections.layer)))) // => no route
 *
 * @see Background.Service for tasks that do not end together
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self, E = never>() =>
  <const Id extends string>(id: Id): ServiceClass<Self, Id, E> =>
    service.make(id, make<E>(), { properties: ["join", "cancel", "stats"], methods: ["start"] })
