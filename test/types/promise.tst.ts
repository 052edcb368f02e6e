import type * as Effects from "effect-concurrency"
import { Barrier, Condition, Event, Guarded, type Lease, Mutex, Semaphore, WorkQueue } from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

const signal = new AbortController().signal

describe("the facade", () => {
  it("wraps the instances of the Effect side, each of its own kind", () => {
    expect(Semaphore.from).type.toBeCallableWith({} as Effects.Semaphore.Semaphore)
    expect(Mutex.from).type.toBeCallableWith({} as Effects.Mutex.Mutex)
    expect(Event.from).type.toBeCallableWith({} as Effects.Event.Event)
    expect(Condition.from).type.toBeCallableWith({} as Effects.Condition.Condition)
    expect(Guarded.from({} as Effects.Guarded.Guarded<number>)).type.toBe<Guarded<number>>()
    expect(Mutex.from).type.not.toBeCallableWith({} as Effects.Semaphore.Semaphore)
    expect(Semaphore.from).type.not.toBeCallableWith({} as Effects.Mutex.Mutex)
    expect(Semaphore.from).type.not.toBeCallableWith(1)
  })

  it("takes the same options wherever it waits", () => {
    expect(new Mutex().acquire).type.toBeCallableWith({ signal, timeout: 5, priority: 1 })
    expect(new Event().wait).type.toBeCallableWith({ signal, timeout: 5 })
    expect(new Barrier(2).wait).type.toBeCallableWith({ signal, timeout: 5 })
    expect(new Condition().wait).type.toBeCallableWith({ signal, timeout: 5 })
    expect(new WorkQueue<number>().take).type.toBeCallableWith({ signal, timeout: 5 })
    expect(new WorkQueue<number>().join).type.toBeCallableWith({ signal, timeout: 5 })
    expect(new Mutex().acquire).type.not.toBeCallableWith({ timeout: "5" })
    expect(new Mutex().acquire).type.not.toBeCallableWith({ abort: signal })
    expect(new Event().wait).type.not.toBeCallableWith({ ms: 5 })
  })
})

describe("Mutex", () => {
  const mutex = new Mutex()

  it("runs functions, async or not", () => {
    expect(mutex.run(() => 1)).type.toBe<Promise<number>>()
    expect(mutex.run(async () => 1)).type.toBe<Promise<number>>()
    expect(mutex.runIfAvailable(async () => 1)).type.toBe<Promise<number | undefined>>()
    expect(mutex.run).type.not.toBeCallableWith(Promise.resolve(1))
    expect(mutex.run).type.not.toBeCallableWith((n: number) => n)
  })

  it("gives leases", () => {
    expect(mutex.acquire()).type.toBe<Promise<Lease>>()
    expect(mutex.tryAcquire()).type.toBe<Lease | undefined>()
    expect<Lease>().type.toBeAssignableTo<Disposable & AsyncDisposable>()
  })

  it("is read, not written", () => {
    expect(mutex.isLocked).type.toBe<boolean>()
    const lock = () => {
      // @ts-expect-error read-only
      mutex.isLocked = true
    }
    expect(lock).type.toBe<() => void>()
  })
})

describe("Semaphore", () => {
  const semaphore = new Semaphore(2)

  it("maps", () => {
    expect(semaphore.map([1, 2], async (n) => `${n}`)).type.toBe<Promise<Array<string>>>()
    expect(semaphore.map([1, 2], (n) => n)).type.toBe<Promise<Array<number>>>()
    expect(semaphore.map).type.not.toBeCallableWith(1, () => 1)
  })

  it("refuses misuse", () => {
    expect(Semaphore).type.not.toBeConstructableWith("2")
    expect(Semaphore).type.not.toBeConstructableWith()
    expect(Semaphore).type.not.toBeConstructableWith({ permits: 2, fairness: "lifo" })
    expect(semaphore.tryTake).type.not.toBeCallableWith("1")
    expect(semaphore.acquire(2)).type.toBe<Promise<Lease>>()
    expect(semaphore.tryAcquire(2)).type.toBe<Lease | undefined>()
  })
})

describe("Guarded", () => {
  it("holds one type of value", () => {
    const guarded = new Guarded(0)
    expect(guarded.set).type.not.toBeCallableWith("1")
    expect(guarded.update).type.toBeCallableWith(async (n: number) => n + 1)
    expect(guarded.update).type.not.toBeCallableWith((n: number) => String(n))
    expect(guarded.modify((n) => ["a", n])).type.toBe<Promise<string>>()
  })
})

describe("WorkQueue", () => {
  it("holds one type of item, and is iterated", () => {
    const queue = new WorkQueue<number>({ capacity: 2 })
    expect(queue).type.toBeAssignableTo<AsyncIterable<number>>()
    expect(queue.take()).type.toBe<Promise<number>>()
    expect(queue.tryTake()).type.toBe<number | undefined>()
    expect(queue.shutdown()).type.toBe<Array<number>>()
    expect(queue.offer).type.not.toBeCallableWith("1")
    expect(WorkQueue).type.not.toBeConstructableWith({ strategy: "block" })
  })
})
