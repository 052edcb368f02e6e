/**
 * An event for `async` functions on several machines: flags to wait for, wherever they run.
 *
 * @since 0.1.0
 */
import { record } from "../../core/arguments.js"
import type { Result } from "../../core/latch.js"
import * as core from "../../core/latches.js"
import { checkName } from "../../core/naming.js"
import type * as Effects from "../../distributed/DistributedEvent.js"
import { checkWait, wait, type WaitOptions } from "../park.js"
import { view } from "../view.js"
import { type LatchStore, makeLatches } from "./latches.js"
import { asked } from "./storePort.js"

/**
 * How often to ask while waiting, and what the names are put under.
 *
 * @since 0.1.0
 */
export interface DistributedEventOptions {
  /**
   * The most milliseconds between two questions while somebody waits, should the store's message that a flag is set be lost: from 10 to a day. Each
   * time it is between three quarters and all of that, at random. Default: 1,000.
   */
  readonly poll?: number | undefined
  /** What the names of the instance are put under in the store. Default: `"event"`. */
  readonly prefix?: string | undefined
}

/**
 * How a flag is set.
 *
 * @since 0.1.0
 */
export interface DistributedEventSetOptions {
  /** After so many milliseconds it is cleared by itself, by the store's clock. Default: it stays until it is cleared. */
  readonly timeToLive?: number | undefined
}

/**
 * Flags by name, each of which is set or not, for all processes that share a store; and those who wait for one to be set. The same machine as the Effect
 * module's `DistributedEvent`, which says in full what is promised; `DistributedEvent.from` shares one.
 *
 * **When to use**: to tell several processes that something has happened. Within one process, use `Event`.
 *
 * **Details**: whoever waits is let go when the flag is set, or was set or pulsed since the store was first asked for him: also if it was cleared at once,
 * and if the message is lost. A question that fails is put once more, at once; if that fails, too, `wait` rejects with what the store rejected with. If
 * the store loses its data, those who wait go on waiting. Give flags a time to live whose names are many.
 *
 * **Interruption**: an aborted or timed-out wait leaves at once, and nobody else notices.
 *
 * **Fairness**: waiters of one instance are woken in order of arrival; all are woken.
 *
 * @example
 * import { DistributedEvent, latchStoreMemory } from "effect-concurrency/promise/distributed"
 *
 * const event = new DistributedEvent(latchStoreMemory())
 * const runner = event.wait("migrated").then(() => "off they go")
 * await event.set("migrated", { timeToLive: 86_400_000 })
 *
 * console.log(await runner) // => off they go
 *
 * @since 0.1.0
 */
export class DistributedEvent {
  /** @internal */
  declare readonly [core.TypeId]: core.Latches

  constructor(store: LatchStore, options: DistributedEventOptions = {}) {
    this[core.TypeId] = makeLatches("DistributedEvent", store, core.config("new DistributedEvent", options))
  }

  /** A view of the flags that an Effect program, or other plain code, uses. */
  static from(event: Effects.DistributedEvent<unknown> | DistributedEvent): DistributedEvent {
    return view(DistributedEvent.prototype, "DistributedEvent", core.TypeId, event)
  }

  /** Waits until the flag of a name is set; with one that is set, takes one round trip. */
  async wait(name: string, options?: WaitOptions): Promise<void> {
    const where = "DistributedEvent.wait"
    const self = this[core.TypeId]
    checkName(where, name)
    checkWait(where, options)
    const line = self.line(name)
    const result = await wait<core.Line, undefined, Result>(
      where,
      line,
      undefined,
      options,
      (line, ticket) => self.enqueue(line, ticket),
      (line, ticket) => self.cancel(line, ticket)
    )
    if (result.kind === "failed") throw self.port.errorOf(result.failure)
  }

  /** Sets a flag and wakes all who wait. */
  set(name: string, options: DistributedEventSetOptions = {}): Promise<void> {
    const where = "DistributedEvent.set"
    return asked<core.Port, void>(this[core.TypeId], where, name, (port, name, done, fail) => {
      const { timeToLive } = record(where, options)
      port.set({ name, timeToLive: core.checkTimeToLive(where, timeToLive) }, done, fail)
    })
  }

  /** Clears a flag. Who was let go stays so. */
  clear(name: string): Promise<void> {
    return asked<core.Port, void>(this[core.TypeId], "DistributedEvent.clear", name, (port, name, done, fail) =>
      port.clear(name, done, fail)
    )
  }

  /** Wakes all who wait now, and leaves the flag as it is. */
  pulse(name: string): Promise<void> {
    return asked<core.Port, void>(this[core.TypeId], "DistributedEvent.pulse", name, (port, name, done, fail) =>
      port.pulse(name, done, fail)
    )
  }

  /** Whether a flag is set. */
  isSet(name: string): Promise<boolean> {
    return asked<core.Port, boolean>(this[core.TypeId], "DistributedEvent.isSet", name, (port, name, answer, fail) =>
      port.look(name, ({ isSet }) => answer(isSet), fail)
    )
  }

  /** A frozen snapshot of this process. */
  stats(): core.Stats {
    return this[core.TypeId].stats()
  }
}
