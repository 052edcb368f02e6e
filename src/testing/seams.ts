/**
 * The real world, which an exploration needs for its own budget and replaces for what it runs.
 *
 * @internal
 */
import type { Timer, VirtualClock } from "./clock.js"

const { setImmediate, setTimeout } = globalThis as unknown as {
  readonly setImmediate?: (callback: () => void) => void
  readonly setTimeout: (callback: () => void, milliseconds: number) => void
}
const now = performance.now.bind(performance)

/** Milliseconds, for budgets. */
export const elapsed = (): number => now()

/** A turn of the event loop. Every promise reaction that can run has run when it ends. */
export const turn = (): Promise<void> =>
  new Promise<void>((resolve) => (setImmediate === undefined ? setTimeout(resolve, 0) : setImmediate(resolve)))

/** Waits in real time, at most so long, until a condition holds. Says whether it does. */
export const eventually = async (holds: () => boolean, milliseconds: number): Promise<boolean> => {
  for (const end = now() + milliseconds; !holds() && now() < end;)
    await new Promise<void>((resolve) => setTimeout(resolve, 1))
  return holds()
}

/** How many real timers, files, sockets and the like may still call back, where the platform tells. */
export const realResources = (): number => {
  const { process } = globalThis as { process?: { getActiveResourcesInfo?: () => ReadonlyArray<string> } }
  return process?.getActiveResourcesInfo?.().filter((name) => name !== "Immediate").length ?? 0
}

/** A timer as Node hands it out; in a browser it is a number, and nobody looks. */
class Handle {
  constructor(
    private readonly clock: VirtualClock,
    private readonly fire: () => void,
    private readonly delay: number
  ) {
    this.timer = clock.schedule(fire, delay)
  }
  timer: Timer
  clear(): void {
    this.clock.cancel(this.timer)
  }
  refresh(): this {
    this.clear()
    this.timer = this.clock.schedule(this.fire, this.delay)
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
  hasRef(): boolean {
    return true
  }
}

/** The longest delay of a timer. A longer one, or none at all, is the shortest. */
const longest = 2 ** 31 - 1

const delayOf = (delay: unknown): number => (Number(delay) >= 1 && Number(delay) <= longest ? Number(delay) : 1)

/**
 * Puts the virtual clock and seeded dice in the place of the platform's, for plain code; a timer that is due hands its callback to
 * `call`. What it returns puts them back. Code that took the platform's at import keeps those, and is out of control.
 */
export const virtualize = (
  clock: VirtualClock,
  random: () => number,
  call: (callback: () => void) => void
): (() => void) => {
  type Callback = (...args: Array<unknown>) => void
  const later = (f: Callback, delay?: unknown, ...args: Array<unknown>) =>
    new Handle(clock, () => call(() => f(...args)), delayOf(delay))
  const every = (f: Callback, delay?: unknown, ...args: Array<unknown>) => {
    const again = () => {
      handle.refresh()
      call(() => f(...args))
    }
    const handle = new Handle(clock, again, delayOf(delay))
    return handle
  }
  const soon = (f: Callback, ...args: Array<unknown>) => new Handle(clock, () => call(() => f(...args)), 0)
  // A timer that was set before is the platform's.
  const clear = (real: ((handle: unknown) => void) | undefined) => (handle: unknown) =>
    handle instanceof Handle ? handle.clear() : real?.(handle)
  const { clearImmediate, clearInterval, clearTimeout } = globalThis as unknown as Record<
    string,
    ((handle: unknown) => void) | undefined
  >
  const now = () => clock.now
  const undo = [
    // Before `Date` is replaced, for this is the one that is behind the replacement.
    replace(Date, { now }),
    replace(performance, { now }),
    replace(Math, { random }),
    replace(globalThis, {
      Date: new Proxy(Date, {
        apply: () => new Date(now()).toString(),
        construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget)
      }),
      setTimeout: later,
      setInterval: every,
      setImmediate: soon,
      clearTimeout: clear(clearTimeout),
      clearInterval: clear(clearInterval),
      clearImmediate: clear(clearImmediate)
    })
  ]
  return () => undo.forEach((restore) => restore())
}

const replace = (target: any, replacements: Record<string, unknown>): (() => void) => {
  const names = Object.keys(replacements)
  const originals = names.map((name) => Object.getOwnPropertyDescriptor(target, name))
  for (const name of names) {
    Object.defineProperty(target, name, { value: replacements[name], configurable: true, writable: true })
  }
  return () =>
    names.forEach((name, index) => {
      const original = originals[index]
      if (original === undefined) delete target[name]
      else Object.defineProperty(target, name, original)
    })
}
