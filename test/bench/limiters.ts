/** Everybody's way to run a function with one of a number of permits, each in the idiom that its documentation shows. */
import { ours } from "./workload.js"

export type Body = () => Promise<unknown>
export type Limiter = (permits: number, body: Body) => Promise<() => Promise<unknown>>

/** Those that can be a lock. */
export const locks: Record<string, Limiter> = {
  [ours]: async (_, body) => {
    const { Mutex } = await import("effect-concurrency/promise")
    const mutex = new Mutex()
    return () => mutex.run(body)
  },
  [`${ours} acquire`]: async (_, body) => {
    const { Mutex } = await import("effect-concurrency/promise")
    const mutex = new Mutex()
    return async () => {
      const lease = await mutex.acquire()
      try {
        return await body()
      } finally {
        lease.release()
      }
    }
  },
  "async-mutex": async (_, body) => {
    const { Mutex } = await import("async-mutex")
    const mutex = new Mutex()
    return () => mutex.runExclusive(body)
  },
  "await-lock": async (_, body) => {
    const { default: AwaitLock } = await import("await-lock")
    const lock = new AwaitLock()
    return async () => {
      await lock.acquireAsync()
      try {
        return await body()
      } finally {
        lock.release()
      }
    }
  },
  "es-toolkit Mutex": async (_, body) => {
    const { Mutex } = await import("es-toolkit")
    const mutex = new Mutex()
    return async () => {
      await mutex.acquire()
      try {
        return await body()
      } finally {
        mutex.release()
      }
    }
  }
}

/** Those that take a number of permits. */
export const limiters: Record<string, Limiter> = {
  [ours]: async (permits, body) => {
    const { Semaphore } = await import("effect-concurrency/promise")
    const semaphore = new Semaphore(permits)
    return () => semaphore.run(body)
  },
  [`${ours} acquire`]: async (permits, body) => {
    const { Semaphore } = await import("effect-concurrency/promise")
    const semaphore = new Semaphore(permits)
    return async () => {
      const lease = await semaphore.acquire()
      try {
        return await body()
      } finally {
        lease.release()
      }
    }
  },
  "p-limit": async (permits, body) => {
    const { default: pLimit } = await import("p-limit")
    const limit = pLimit(permits)
    return () => limit(body)
  },
  "p-queue": async (permits, body) => {
    const { default: PQueue } = await import("p-queue")
    const queue = new PQueue({ concurrency: permits })
    return () => queue.add(body)
  },
  fastq: async (permits, body) => {
    const { default: fastq } = await import("fastq")
    const queue = fastq.promise<unknown, Body>((task) => task(), permits)
    return () => queue.push(body)
  },
  "@henrygd/queue": async (permits, body) => {
    const { newQueue } = await import("@henrygd/queue")
    const queue = newQueue(permits)
    return () => queue.add(body)
  },
  // The same with what the others keep by themselves: the caller's AsyncLocalStorage.
  "@henrygd/queue/async-storage": async (permits, body) => {
    const { newQueue } = await import("@henrygd/queue/async-storage")
    const queue = newQueue(permits)
    return () => queue.add(body)
  },
  "@henrygd/semaphore": async (permits, body) => {
    const { getSemaphore } = await import("@henrygd/semaphore")
    const semaphore = getSemaphore(Symbol(), permits)
    return async () => {
      await semaphore.acquire()
      try {
        return await body()
      } finally {
        semaphore.release()
      }
    }
  },
  "async-sema": async (permits, body) => {
    const { Sema } = await import("async-sema")
    const semaphore = new Sema(permits)
    return async () => {
      await semaphore.acquire()
      try {
        return await body()
      } finally {
        semaphore.release()
      }
    }
  },
  "es-toolkit Semaphore": async (permits, body) => {
    const { Semaphore } = await import("es-toolkit")
    const semaphore = new Semaphore(permits)
    return async () => {
      await semaphore.acquire()
      try {
        return await body()
      } finally {
        semaphore.release()
      }
    }
  },
  "es-toolkit limitAsync": async (permits, body) => {
    const { limitAsync } = await import("es-toolkit")
    return limitAsync(body, permits)
  }
}

export const pick = <A>(from: Record<string, A>, ...names: ReadonlyArray<string>): Record<string, A> =>
  Object.fromEntries(names.map((name) => [name, from[name]!]))

/** A contender for each limiter. */
export const contenders = <C>(of: Record<string, Limiter>, contender: (limiter: Limiter) => C): Record<string, C> =>
  Object.fromEntries(Object.entries(of).map(([name, limiter]) => [name, contender(limiter)]))
