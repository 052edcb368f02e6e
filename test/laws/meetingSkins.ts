/**
 * The skins of events and barriers over a store: fibers, promises, and both on one instance. A law is written once, against these drivers.
 */
import { Effect, Exit } from "effect"
import { DistributedBarrier, DistributedEvent } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { alternate, type Attempt, fork, start } from "./skins.js"
import { asEffects } from "./stores.js"

const now = <A>(effect: Effect.Effect<A, unknown>): A => {
  const exit = Effect.runSyncExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  throw exit.cause
}

export interface EventDriver {
  wait(name: string): Attempt<void>
  set(name: string, timeToLive?: number): Attempt<void>
  clear(name: string): Attempt<void>
  pulse(name: string): Attempt<void>
  isSet(name: string): Attempt<boolean>
  stats(): { readonly waiting: number }
}

export interface EventSkin {
  readonly name: "effect" | "promise" | "mixed"
  open(store: Promises.LatchStore, options?: Promises.DistributedEventOptions): EventDriver
}

const makeEvent = (store: Promises.LatchStore, options?: Promises.DistributedEventOptions) =>
  now(DistributedEvent.make(options, asEffects(store)))

const effectEvent = (self: DistributedEvent.DistributedEvent<unknown>): EventDriver => ({
  wait: (name) => fork(self.wait(name)),
  set: (name, timeToLive) => fork(self.set(name, { timeToLive })),
  clear: (name) => fork(self.clear(name)),
  pulse: (name) => fork(self.pulse(name)),
  isSet: (name) => fork(self.isSet(name)),
  stats: () => now(self.stats)
})

const promiseEvent = (self: Promises.DistributedEvent): EventDriver => ({
  wait: (name) => start((options) => self.wait(name, options)),
  set: (name, timeToLive) => start(() => self.set(name, { timeToLive })),
  clear: (name) => start(() => self.clear(name)),
  pulse: (name) => start(() => self.pulse(name)),
  isSet: (name) => start(() => self.isSet(name)),
  stats: () => self.stats()
})

export const eventSkins: ReadonlyArray<EventSkin> = [
  { name: "effect", open: (store, options) => effectEvent(makeEvent(store, options)) },
  { name: "promise", open: (store, options) => promiseEvent(new Promises.DistributedEvent(store, options)) },
  {
    name: "mixed",
    open: (store, options) => {
      const self = makeEvent(store, options)
      return alternate(effectEvent(self), promiseEvent(Promises.DistributedEvent.from(self)))
    }
  }
]

export interface BarrierDriver {
  wait(name: string): Attempt<number>
  reset(name: string): Attempt<void>
  abort(name: string): Attempt<void>
  isBroken(name: string): Attempt<boolean>
  stats(): { readonly waiting: number }
}

export interface BarrierSkin {
  readonly name: "effect" | "promise" | "mixed"
  open(store: Promises.PartyStore, options: Promises.DistributedBarrierOptions): BarrierDriver
}

const makeBarrier = (store: Promises.PartyStore, options: Promises.DistributedBarrierOptions) =>
  now(DistributedBarrier.make(options, asEffects(store)))

const effectBarrier = (self: DistributedBarrier.DistributedBarrier<unknown>): BarrierDriver => ({
  wait: (name) => fork(self.wait(name)),
  reset: (name) => fork(self.reset(name)),
  abort: (name) => fork(self.abort(name)),
  isBroken: (name) => fork(self.isBroken(name)),
  stats: () => now(self.stats)
})

const promiseBarrier = (self: Promises.DistributedBarrier): BarrierDriver => ({
  wait: (name) => start((options) => self.wait(name, options)),
  reset: (name) => start(() => self.reset(name)),
  abort: (name) => start(() => self.abort(name)),
  isBroken: (name) => start(() => self.isBroken(name)),
  stats: () => self.stats()
})

export const barrierSkins: ReadonlyArray<BarrierSkin> = [
  { name: "effect", open: (store, options) => effectBarrier(makeBarrier(store, options)) },
  { name: "promise", open: (store, options) => promiseBarrier(new Promises.DistributedBarrier(store, options)) },
  {
    name: "mixed",
    open: (store, options) => {
      const self = makeBarrier(store, options)
      return alternate(effectBarrier(self), promiseBarrier(Promises.DistributedBarrier.from(self)))
    }
  }
]
