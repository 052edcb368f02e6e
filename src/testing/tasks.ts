/**
 * What a scenario of `async` functions is given: tasks whose turns the explorer gives out.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { callable, expect } from "../core/arguments.js"
import type { Thread } from "./thread.js"
import { excerpt } from "./trace.js"

/**
 * What a scenario of `async` functions is given.
 *
 * **Details**: everything that tasks do between two turns is done by promises that settle by themselves; the order of turns is what is
 * explored. A turn begins where a task begins, where it goes on after `step`, and in the callback of a timer.
 *
 * @example
 * import { Mutex } from "effect-concurrency/promise"
 * import { Explore } from "effect-concurrency/testing"
 *
 * const counter = async ({ spawn }: Explore.Tasks) => {
 *   const mutex = new Mutex()
 *   let count = 0
 *   const increment = ({ step }: Explore.Task) =>
 *     mutex.run(async () => {
 *       const seen = count
 *       await step("has read")
 *       count = seen + 1
 *     })
 *   await Promise.all([spawn("first", increment), spawn("second", increment)])
 *   return count
 * }
 *
 * const { outcomes } = await Explore.check(counter)
 * console.log([...outcomes.keys()]) // => [ '2' ]
 *
 * @since 0.1.0
 * @category models
 */
export interface Tasks {
  /** Starts a task when its turn comes, and gives its result. A task that fails, and that nobody awaits, fails nothing. */
  readonly spawn: <A>(name: string, f: (task: Task) => A | PromiseLike<A>) => Promise<A>
  /** Starts a fiber, explored like the tasks, and gives its result. It rejects with the fiber's own error. */
  readonly fork: <A, E>(name: string, effect: Effect.Effect<A, E>) => Promise<A>
}

/**
 * A task: an `async` function whose turns the explorer gives out.
 *
 * @since 0.1.0
 * @category models
 */
export interface Task {
  /** Somebody else may go on here. */
  readonly step: (label?: string) => Promise<void>
  /** Aborted when the task is interrupted from outside. */
  readonly signal: AbortSignal
}

/** What tasks need of the run that they are part of. */
export interface Host {
  readonly newThread: () => Thread
  readonly name: (thread: Thread, name: string) => void
  readonly enqueue: (thread: Thread, run: () => void) => void
  readonly fork: <A, E>(effect: Effect.Effect<A, E>, name: string) => Fiber.RuntimeFiber<A, E>
  readonly note: (text: string) => void
}

export const tasksOf = (host: Host): Tasks => {
  const spawn = <A>(name: string, f: (task: Task) => A | PromiseLike<A>): Promise<A> => {
    expect(typeof name === "string", "spawn", "name", "a string", name)
    callable("spawn", "f", f)
    const thread = host.newThread()
    const controller = new AbortController()
    thread.abort = () => controller.abort()
    host.name(thread, name)
    const step = (label = "") =>
      new Promise<void>((go) => {
        thread.label = label
        host.enqueue(thread, () => {
          if (label !== "") host.note(label)
          go()
        })
      })
    const result = new Promise<A>((resolve) =>
      host.enqueue(thread, () => {
        host.note("begins")
        resolve(attempt(() => f({ step, signal: controller.signal })))
      })
    )
    const end = (text: string) => {
      thread.ended = true
      host.note(`${thread} ${text}`)
    }
    // This also keeps a failure from being unhandled, since the scenario may come to await it later.
    result.then(
      () => end("ends"),
      (error: unknown) => end(`fails: ${excerpt(error)}`)
    )
    return result
  }

  const fork = <A, E>(name: string, effect: Effect.Effect<A, E>): Promise<A> => {
    expect(typeof name === "string", "fork", "name", "a string", name)
    const fiber = host.fork(expect(Effect.isEffect(effect), "fork", "effect", "an Effect", effect), name)
    const result = new Promise<A>((resolve, reject) =>
      fiber.addObserver((exit) => (exit._tag === "Success" ? resolve(exit.value) : reject(Cause.squash(exit.cause))))
    )
    result.catch(() => {})
    return result
  }

  return { spawn, fork }
}

/** What a function returns, or throws, as a promise. */
export const attempt = async <A>(f: () => A | PromiseLike<A>): Promise<A> => f()
