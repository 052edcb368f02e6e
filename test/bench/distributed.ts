/** Among programs, on a Redis server that each contender has for itself. `distributedTrips.ts` counts their round trips. */
import { type Decide, type DecideEffect, effectLimits, limits } from "./distributedLimits.js"
import * as locks from "./distributedLocks.js"
import { effectQueues, type MakeQueue, queues } from "./distributedQueues.js"
import { once } from "./distributedServer.js"
import { all, type Contender, type Workload } from "./workload.js"

const map = <A>(makes: Record<string, A>, f: (make: A) => Contender): Record<string, Contender> =>
  Object.fromEntries(Object.entries(makes).map(([name, make]) => [name, f(make)]))

const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

// -------------------------------------------------------------------------------------------------------------------------- locks

/** One after the other, with nobody else there. */
const alone = (make: locks.MakeLocks): Contender => {
  const made = once(make)
  return async (operations) => {
    const run = (await made())("alone")
    let done = 0
    const body = async () => {
      done++
    }
    return async () => {
      for (let i = 0; i < operations; i++) await run(body)
      return done
    }
  }
}

const aloneEffect = (make: locks.MakeEffectLocks): Contender => {
  const made = once(make)
  return async (operations) => {
    const { Effect } = await import("effect")
    const wrap = (await made())("alone")
    let done = 0
    const one = wrap(
      Effect.sync(() => {
        done++
      })
    )
    const loop = Effect.whileLoop({ while: () => done < operations, body: () => one, step: () => {} })
    return async () => {
      await Effect.runPromise(loop)
      return done
    }
  }
}

/** One holds and another, with connections of its own, waits, for each of some names. From letting go until the other one runs. */
const woken = (make: locks.MakeLocks): Contender => {
  const made = once(async () => [await make(), await make()] as const)
  let before: Promise<unknown> = Promise.resolve()
  return async (operations) => {
    const [holders, waiters] = await made()
    await before
    const ended: Array<Promise<unknown>> = []
    const waiting: Array<{ readonly free: () => void; readonly entered: Promise<void> }> = []
    let done = 0
    for (let i = 0; i < operations; i++) {
      const name = `woken ${i}`
      let free!: () => void
      const freed = new Promise<void>((resolve) => (free = resolve))
      await new Promise<void>((held) => {
        const hold = () => {
          held()
          return freed
        }
        ended.push(holders(name)(hold))
      })
      const entered = new Promise<void>((resolve) => {
        const enter = async () => {
          done++
          resolve()
        }
        ended.push(waiters(name)(enter))
      })
      waiting.push({ free, entered })
    }
    before = Promise.all(ended)
    // Until all wait; and who polls is anywhere between two questions.
    await later(100 + 50 * Math.random())
    return async () => {
      for (const { entered, free } of waiting) {
        free()
        await entered
      }
      return done
    }
  }
}

const programs = 4

/** Callers of four programs, all at once, want the same lock. */
const contended = (make: locks.MakeLocks): Contender => {
  const made = once(() => Promise.all(Array.from({ length: programs }, make)))
  return async (operations) => {
    const runs = (await made()).map((of) => of("contended"))
    let done = 0
    let inside = 0
    const body = async () => {
      if (++inside > 1) throw new Error("two at once")
      done++
      inside--
    }
    return async () => {
      await all(operations, (i) => runs[i % programs]!(body))
      return done
    }
  }
}

const contendedEffect = (make: locks.MakeEffectLocks): Contender => {
  const made = once(() => Promise.all(Array.from({ length: programs }, make)))
  return async (operations) => {
    const { Effect } = await import("effect")
    const wraps = (await made()).map((of) => of("contended"))
    let done = 0
    const body = Effect.sync(() => {
      done++
    })
    const calls = Effect.forEach(
      Array.from({ length: operations }, (_, i) => wraps[i % programs]!(body)),
      (call) => call,
      { concurrency: "unbounded", discard: true }
    )
    return async () => {
      await Effect.runPromise(calls)
      return done
    }
  }
}

// ------------------------------------------------------------------------------------------------------------------------- limits

type KeyOf = (index: number) => string

const sameKey: KeyOf = () => "everybody"
const ownKey: KeyOf = (index) => `user ${index}`

const inTurn = (make: () => Promise<Decide>): Contender => {
  const made = once(make)
  return async (operations) => {
    const decide = await made()
    return async () => {
      let done = 0
      for (let i = 0; i < operations; i++) if (await decide("one")) done++
      return done
    }
  }
}

const inTurnEffect = (make: () => Promise<DecideEffect>): Contender => {
  const made = once(make)
  return async (operations) => {
    const { Effect } = await import("effect")
    const decide = await made()
    let asked = 0
    let done = 0
    const loop = Effect.whileLoop({
      while: () => asked++ < operations,
      body: () => decide("one"),
      step: (allowed) => {
        if (allowed) done++
      }
    })
    return async () => {
      await Effect.runPromise(loop)
      return done
    }
  }
}

const atOnce =
  (keyOf: KeyOf) =>
  (make: () => Promise<Decide>): Contender => {
    const made = once(make)
    return async (operations) => {
      const decide = await made()
      return async () => {
        let done = 0
        await all(operations, async (i) => {
          if (await decide(keyOf(i))) done++
        })
        return done
      }
    }
  }

const atOnceEffect =
  (keyOf: KeyOf) =>
  (make: () => Promise<DecideEffect>): Contender => {
    const made = once(make)
    return async (operations) => {
      const { Effect } = await import("effect")
      const decide = await made()
      let done = 0
      const one = (i: number) =>
        Effect.map(decide(keyOf(i)), (allowed) => {
          if (allowed) done++
        })
      const indices = Array.from({ length: operations }, (_, i) => i)
      const calls = Effect.forEach(indices, one, { concurrency: "unbounded", discard: true })
      return async () => {
        await Effect.runPromise(calls)
        return done
      }
    }
  }

// ------------------------------------------------------------------------------------------------------------------------- queues

/** From the first offer until all are done. */
const throughput =
  (concurrency: number, bulk: boolean) =>
  (make: MakeQueue): Contender => {
    let done = 0
    let expected = 0
    let last = () => {}
    const made = once(() =>
      make(concurrency, () => {
        if (++done === expected) last()
      })
    )
    return async (operations) => {
      const line = await made()
      const items = Array.from({ length: operations }, (_, i) => i)
      done = 0
      expected = operations
      const ended = new Promise<void>((resolve) => (last = resolve))
      return async () => {
        if (bulk) await line.offerAll(items)
        else for (const item of items) await line.offer(item)
        await ended
        await line.joined?.()
        return done
      }
    }
  }

// ---------------------------------------------------------------------------------------------------------------------- workloads

/** A round of these is long enough to be timed. */
const turns = { sizes: [1], repeat: 200 }
const many = { sizes: [64] }

export const workloads: ReadonlyArray<Workload> = [
  { name: "lock on Redis, nobody waiting, promise", ...turns, contenders: map(locks.alone, alone) },
  {
    name: "lock on Redis, nobody waiting, Effect",
    ...turns,

    contenders: map(locks.aloneEffect, aloneEffect)
  },
  {
    name: "lock on Redis, freed until taken, promise",
    sizes: [1],
    repeat: 10,

    contenders: map(locks.woken, woken)
  },
  {
    name: "lock on Redis, freed until taken, Effect",
    sizes: [1],
    repeat: 10,

    contenders: map(locks.wokenEffect, (make) => woken(locks.outside(make)))
  },
  { name: "lock on Redis, contended, promise", ...many, contenders: map(locks.contended, contended) },
  {
    name: "lock on Redis, contended, Effect",
    ...many,

    contenders: map(locks.contendedEffect, contendedEffect)
  },
  { name: "rate limit on Redis, in turn, promise", ...turns, contenders: map(limits, inTurn) },
  { name: "rate limit on Redis, in turn, Effect", ...turns, contenders: map(effectLimits, inTurnEffect) },
  { name: "rate limit on Redis, one key, promise", ...many, contenders: map(limits, atOnce(sameKey)) },
  {
    name: "rate limit on Redis, one key, Effect",
    ...many,

    contenders: map(effectLimits, atOnceEffect(sameKey))
  },
  { name: "rate limit on Redis, a key each, promise", ...many, contenders: map(limits, atOnce(ownKey)) },
  {
    name: "rate limit on Redis, a key each, Effect",
    ...many,

    contenders: map(effectLimits, atOnceEffect(ownKey))
  },
  { name: "queue on Redis, in turn, promise", ...turns, contenders: map(queues, throughput(1, false)) },
  { name: "queue on Redis, in turn, Effect", ...turns, contenders: map(effectQueues, throughput(1, false)) },
  {
    name: "queue on Redis, 10 at a time, promise",
    sizes: [1_000],

    contenders: map(queues, throughput(10, true))
  },
  {
    name: "queue on Redis, 10 at a time, Effect",
    sizes: [1_000],

    contenders: map(effectQueues, throughput(10, true))
  }
]
