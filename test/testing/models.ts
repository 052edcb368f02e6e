/**
 * The seven primitives as they would be if nothing ever happened at the same time: for tests which explore those that are real.
 *
 * Operations have the names of the Effect modules, as `["offer", 1]`, and their results. Of what wraps an effect there are two
 * operations, the one that takes and the one that gives back: `["acquire"]` and `["release"]`.
 *
 * Whoever waits stands in line in the state, so a model says who is before whom. A history shows it only where it says when
 * somebody is known to have stood in line (`waiting`): that of two who call at the same time one is first is nobody's fault.
 */
import { Option } from "effect"
import { integer, misuse, refusal } from "../../src/core/arguments.js"
import { BrokenBarrier, QueueClosed, QueueFull } from "../../src/core/errors.js"
import { type Failed, failed, type Leaving, type Outcomes, type Spec } from "../../src/testing/Linearizable.js"

/** What those who waited were given and have not come for yet. */
type Given<A> = ReadonlyArray<readonly [id: number, given: A]>

const givenTo = <A>(given: Given<A>, id: number): A | undefined => given.find(([whose]) => whose === id)?.[1]

const without = <A>(given: Given<A>, id: number): Given<A> => given.filter(([whose]) => whose !== id)

const hasId = (id: number) => (waiter: { readonly id: number }) => waiter.id === id

/** The result of a call, or of its refusal. */
const attempt = <A>(f: () => A): A | Failed => {
  try {
    return f()
  } catch (error) {
    return failed(error)
  }
}

// ------------------------------------------------------------------------------------------------------------------------ Semaphore

interface Request {
  readonly id: number
  readonly permits: number
  readonly priority: number
}

export interface SemaphoreState {
  readonly permits: number
  readonly taken: number
  readonly waiting: ReadonlyArray<Request>
  readonly given: Given<number | Failed>
}

export type SemaphoreOperation =
  | readonly ["take", permits: number, priority?: number]
  | readonly ["tryTake", permits: number, priority?: number]
  | readonly ["release", permits: number]
  | readonly ["releaseAll"]
  | readonly ["resize", permits: number]

type Fairness = "fifo" | "throughput"

/** Puts a request in line: behind those of its priority, and with "throughput" of its size. */
const inLine = (
  waiting: ReadonlyArray<Request>,
  request: Request,
  fairness: Fairness = "fifo"
): ReadonlyArray<Request> => {
  const size = (a: Request) => (fairness === "fifo" ? 0 : a.permits)
  return [...waiting, request].sort((a, b) => b.priority - a.priority || size(a) - size(b))
}

/** Grants as long as somebody fits: the first, or with "throughput" anybody. */
const grant = (state: SemaphoreState, fairness: Fairness): SemaphoreState => {
  const fits = ({ permits }: Request) => permits <= state.permits - state.taken
  const next = fairness === "fifo" ? state.waiting.slice(0, 1).find(fits) : state.waiting.find(fits)
  if (next === undefined) return state
  return grant(
    {
      ...state,
      taken: state.taken + next.permits,
      waiting: state.waiting.filter((request) => request !== next),
      given: [...state.given, [next.id, next.permits]]
    },
    fairness
  )
}

const isAvailable = (state: SemaphoreState, permits: number, priority: number, fairness: Fairness): boolean =>
  permits <= state.permits - state.taken &&
  (fairness === "throughput" || state.waiting.every((request) => request.priority < priority))

/** Counts only: who takes with `take` and gives back with `release`, of whom the semaphore cannot know who they are. */
export const semaphore = (
  permits: number,
  fairness: Fairness = "fifo"
): Spec<SemaphoreState, SemaphoreOperation, number | boolean | void> => {
  const apply = (
    state: SemaphoreState,
    operation: SemaphoreOperation,
    id: number
  ): Outcomes<SemaphoreState, number | boolean | void> => {
    const refused = (where: string, n: number, max = state.permits || Infinity): Failed | undefined => {
      const checked = attempt(() => integer(`Semaphore.${where}`, "permits", n, 0, max))
      return typeof checked === "number" ? undefined : checked
    }
    switch (operation[0]) {
      case "take":
      case "tryTake": {
        const [name, n, priority = 0] = operation
        const refusal = refused(name, n)
        if (refusal !== undefined) return { state, result: refusal }
        if (isAvailable(state, n, priority, fairness)) {
          return { state: { ...state, taken: state.taken + n }, result: name === "take" ? n : true }
        }
        if (name === "tryTake") return { state, result: false }
        return {
          state: { ...state, waiting: inLine(state.waiting, { id, permits: n, priority }, fairness) },
          waits: true
        }
      }
      case "release":
      case "releaseAll": {
        const n = operation[0] === "release" ? operation[1] : state.taken
        const refusal = refused("release", n, state.taken)
        if (refusal !== undefined) return { state, result: refusal }
        const next = grant({ ...state, taken: state.taken - n }, fairness)
        return { state: next, result: Math.max(0, next.permits - next.taken) }
      }
      case "resize": {
        const refusal = refused("resize", operation[1], Infinity)
        return refusal === undefined
          ? { state: grant(resized(state, operation[1]), fairness), result: undefined }
          : { state, result: refusal }
      }
    }
  }
  return {
    initial: { permits, taken: 0, waiting: [], given: [] },
    apply,
    resume: (state, _, id) => {
      const result = givenTo(state.given, id)
      return result === undefined ? undefined : { state: { ...state, given: without(state.given, id) }, result }
    },
    withdraw: (state, _, id) => {
      const granted = givenTo(state.given, id)
      const left = {
        ...state,
        waiting: state.waiting.filter((request) => request.id !== id),
        given: without(state.given, id)
      }
      return { state: grant({ ...left, taken: left.taken - (typeof granted === "number" ? granted : 0) }, fairness) }
    }
  }
}

/** Requests that can never be granted any more end; but 0 only closes. */
const resized = (state: SemaphoreState, permits: number): SemaphoreState => {
  const possible = (request: Request) => permits === 0 || request.permits <= permits
  const why = (request: Request) =>
    failed(
      refusal(
        "Semaphore.resize",
        "permits of a request that waits",
        `an integer from 0 to ${permits}`,
        request.permits,
        "number"
      )
    )
  const refused = state.waiting.filter((request) => !possible(request))
  return {
    ...state,
    permits,
    waiting: state.waiting.filter(possible),
    given: [...state.given, ...refused.map((request) => [request.id, why(request)] as const)]
  }
}

// ------------------------------------------------------------------------------------------------------------------------ Mutex

export type MutexOperation =
  /** `acquire`, or the beginning of `withLock`. */
  | readonly ["acquire", priority?: number]
  /** The beginning of `withLockIfAvailable`; says whether it ran. */
  | readonly ["acquireIfAvailable"]
  /** The end of the scope, or of the effect. */
  | readonly ["release"]
  | readonly ["isLocked"]

export const mutex = (): Spec<SemaphoreState, MutexOperation, boolean | void> => {
  const one = semaphore(1)
  /** The results of a mutex say less. */
  const silent = (outcomes: Outcomes<SemaphoreState, unknown>): Outcomes<SemaphoreState, void> =>
    ([outcomes ?? []].flat() as ReadonlyArray<any>).map(({ state, waits }) =>
      waits ? { state, waits } : { state, result: undefined }
    )
  return {
    initial: one.initial,
    apply: (state, operation, id) => {
      switch (operation[0]) {
        case "acquire":
          return silent(one.apply(state, ["take", 1, operation[1] ?? 0], id))
        case "acquireIfAvailable":
          return one.apply(state, ["tryTake", 1], id) as Outcomes<SemaphoreState, boolean>
        case "release":
          // Whoever does this holds it.
          return state.taken === 0 ? undefined : silent(one.apply(state, ["release", 1], id))
        case "isLocked":
          return { state, result: state.taken === 1 }
      }
    },
    resume: (state, _, id) => silent(one.resume!(state, ["take", 1], id)),
    withdraw: (state, _, id) => one.withdraw!(state, ["take", 1], id)
  }
}

// ------------------------------------------------------------------------------------------------------------------------ Guarded

export interface GuardedState<A> {
  readonly value: A
  readonly waiting: ReadonlyArray<number>
}

/** A function of an `updateEffect` or a `modifyEffect` that throws stands for an effect that fails. */
export type GuardedOperation<A> =
  | readonly ["get"]
  | readonly ["set", value: A]
  | readonly ["update" | "updateEffect", f: (value: A) => A]
  | readonly ["modify" | "modifyEffect", f: (value: A) => readonly [unknown, A]]

/** Changes come one after the other, in order of arrival, and each at once when its turn is; `get` does not wait. */
export const guarded = <A>(initial: A): Spec<GuardedState<A>, GuardedOperation<A>, unknown> => ({
  initial: { value: initial, waiting: [] },
  apply: (state, operation, id) =>
    operation[0] === "get"
      ? { state, result: state.value }
      : { state: { ...state, waiting: [...state.waiting, id] }, waits: true },
  resume: (state, operation, id) => {
    if (state.waiting[0] !== id) return undefined
    const waiting = state.waiting.slice(1)
    const changed = attempt((): readonly [unknown, A] => {
      switch (operation[0]) {
        case "get":
          return [state.value, state.value]
        case "set":
          return [undefined, operation[1]]
        case "update":
        case "updateEffect":
          return [undefined, operation[1](state.value)]
        case "modify":
        case "modifyEffect":
          return operation[1](state.value)
      }
    })
    return "_tag" in changed
      ? { state: { ...state, waiting }, result: changed }
      : { state: { value: changed[1], waiting }, result: changed[0] }
  },
  withdraw: (state, _, id) => ({ state: { ...state, waiting: state.waiting.filter((other) => other !== id) } })
})

// ------------------------------------------------------------------------------------------------------------------------ Event

export interface EventState {
  readonly isSet: boolean
  readonly waiting: ReadonlyArray<number>
}

export type EventOperation = readonly ["wait" | "set" | "clear" | "pulse" | "isSet"]

/** Who is not in line any more was woken, and stays so. */
export const event = (): Spec<EventState, EventOperation, boolean | void> => ({
  initial: { isSet: false, waiting: [] },
  apply: (state, [name], id) => {
    switch (name) {
      case "wait":
        return state.isSet
          ? { state, result: undefined }
          : { state: { ...state, waiting: [...state.waiting, id].sort((a, b) => a - b) }, waits: true }
      case "set":
        return { state: { isSet: true, waiting: [] }, result: undefined }
      case "clear":
        return { state: { ...state, isSet: false }, result: undefined }
      case "pulse":
        return { state: { ...state, waiting: [] }, result: undefined }
      case "isSet":
        return { state, result: state.isSet }
    }
  },
  resume: (state, _, id) => (state.waiting.includes(id) ? undefined : { state, result: undefined }),
  withdraw: (state, _, id) => ({ state: { ...state, waiting: state.waiting.filter((other) => other !== id) } })
})

// ------------------------------------------------------------------------------------------------------------------------ Condition

export interface ConditionState {
  readonly locked: boolean
  /** Who waits for the lock: to enter, to go on after a notification, or to leave. */
  readonly entering: ReadonlyArray<number>
  /** Who waits to be notified. */
  readonly waiting: ReadonlyArray<number>
  /** Who was given the lock and has not come for it. */
  readonly given: ReadonlyArray<number>
  /** Whose waits were interrupted: they end without a notification, and with the lock. */
  readonly leaving: ReadonlyArray<number>
}

export type ConditionOperation =
  /** The beginning and the end of `withLock`. */
  | readonly ["acquire"]
  | readonly ["release"]
  | readonly ["wait"]
  | readonly ["notify", n?: number]
  | readonly ["notifyAll"]

const remove = (ids: ReadonlyArray<number>, id: number): ReadonlyArray<number> => ids.filter((other) => other !== id)

/** The lock goes to the first that wants it. */
const handOver = (state: ConditionState): ConditionState => {
  const [next, ...entering] = state.entering
  if (state.locked || next === undefined) return state
  return { ...state, locked: true, entering, given: [...state.given, next] }
}

const notified = (state: ConditionState, n: number): ConditionState =>
  handOver({
    ...state,
    waiting: state.waiting.slice(n),
    entering: [...state.entering, ...state.waiting.slice(0, n)]
  })

/** Of a `waitFor` each wait is one operation. */
export const condition = (): Spec<ConditionState, ConditionOperation, void> => {
  const unlocked = (name: string) => failed(misuse(`Condition.${name}`, "the lock is not held"))
  return {
    initial: { locked: false, entering: [], waiting: [], given: [], leaving: [] },
    apply: (state, operation, id) => {
      const [name] = operation
      if (name === "acquire") {
        return state.locked
          ? { state: { ...state, entering: [...state.entering, id] }, waits: true }
          : { state: { ...state, locked: true }, result: undefined }
      }
      if (name === "release") {
        return state.locked ? { state: handOver({ ...state, locked: false }), result: undefined } : undefined
      }
      if (!state.locked) return { state, result: unlocked(name) }
      switch (name) {
        case "wait":
          return { state: handOver({ ...state, locked: false, waiting: [...state.waiting, id] }), waits: true }
        case "notify":
          return { state: notified(state, operation[1] ?? 1), result: undefined }
        case "notifyAll":
          return { state: notified(state, Infinity), result: undefined }
      }
    },
    resume: (state, _, id) =>
      state.given.includes(id) && !state.leaving.includes(id)
        ? { state: { ...state, given: remove(state.given, id) }, result: undefined }
        : undefined,
    withdraw: (state, [name], id): Leaving<ConditionState> | undefined => {
      if (name === "acquire") {
        if (!state.given.includes(id)) return { state: { ...state, entering: remove(state.entering, id) } }
        return { state: handOver({ ...state, locked: false, given: remove(state.given, id) }) }
      }
      // A wait takes the lock before it leaves. What it was notified of is passed on as soon as it is interrupted.
      if (!state.leaving.includes(id)) {
        const leaving = { ...state, leaving: [...state.leaving, id] }
        if (!state.waiting.includes(id)) return { state: notified(leaving, 1), waits: true }
        return {
          state: handOver({ ...leaving, waiting: remove(state.waiting, id), entering: [...state.entering, id] }),
          waits: true
        }
      }
      if (!state.given.includes(id)) return undefined
      return { state: { ...state, given: remove(state.given, id), leaving: remove(state.leaving, id) } }
    }
  }
}

// ------------------------------------------------------------------------------------------------------------------------ Barrier

export interface BarrierState {
  readonly broken: boolean
  readonly arrived: ReadonlyArray<{ readonly id: number; readonly index: number }>
  readonly given: Given<number | Failed>
}

export type BarrierOperation = readonly ["await" | "reset" | "abort" | "isBroken"]

/** A barrier without an action. Who passed and who broke with it have their results before they come for them. */
export const barrier = (
  parties: number,
  onInterrupt: "withdraw" | "break" = "withdraw"
): Spec<BarrierState, BarrierOperation, number | boolean | void> => {
  const broken = failed(new BrokenBarrier())
  const breakAll = (state: BarrierState, stays: boolean): BarrierState => ({
    broken: stays,
    arrived: [],
    given: [...state.given, ...state.arrived.map(({ id }) => [id, broken] as const)]
  })
  /** The lowest that nobody has. */
  const freeIndex = ({ arrived }: BarrierState): number => {
    const taken = new Set(arrived.map(({ index }) => index))
    let index = 0
    while (taken.has(index)) index++
    return index
  }
  return {
    initial: { broken: false, arrived: [], given: [] },
    apply: (state, [name], id) => {
      switch (name) {
        case "await": {
          if (state.broken) return { state, result: broken }
          const index = freeIndex(state)
          if (state.arrived.length + 1 < parties) {
            return { state: { ...state, arrived: [...state.arrived, { id, index }] }, waits: true }
          }
          const passed = state.arrived.map((party) => [party.id, party.index] as const)
          return { state: { ...state, arrived: [], given: [...state.given, ...passed] }, result: index }
        }
        case "reset":
          return { state: breakAll(state, false), result: undefined }
        case "abort":
          return { state: breakAll(state, true), result: undefined }
        case "isBroken":
          return { state, result: state.broken }
      }
    },
    resume: (state, _, id) => {
      const result = givenTo(state.given, id)
      return result === undefined ? undefined : { state: { ...state, given: without(state.given, id) }, result }
    },
    withdraw: (state, _, id) => {
      // Once all have arrived it only misses the rest.
      if (!state.arrived.some(hasId(id))) return { state: { ...state, given: without(state.given, id) } }
      const left = { ...state, arrived: state.arrived.filter((party) => party.id !== id) }
      return { state: onInterrupt === "break" ? breakAll(left, true) : left }
    }
  }
}

// ------------------------------------------------------------------------------------------------------------------------ WorkQueue

interface Item<A> {
  readonly item: A
  readonly sequence: number
}

interface Offer<A> {
  readonly id: number
  readonly items: ReadonlyArray<A>
}

interface Taker {
  readonly id: number
  readonly n: number
}

/** What a wait ended with: items, an offer that is in (and as which item), that the queue was closed, or that all is done. */
type Ended<A> =
  | { readonly took: ReadonlyArray<Item<A>> }
  | { readonly offered: number }
  | { readonly closed: true }
  | { readonly joined: true }

export interface WorkQueueState<A> {
  /** In the order in which they are taken. */
  readonly items: ReadonlyArray<Item<A>>
  readonly sequence: number
  readonly unfinished: number
  readonly closed: { readonly failure?: Failed } | undefined
  readonly takers: ReadonlyArray<Taker>
  readonly offerers: ReadonlyArray<Offer<A>>
  readonly joiners: ReadonlyArray<number>
  readonly given: Given<Ended<A>>
}

export type WorkQueueOperation<A> =
  | readonly ["offer" | "tryOffer", item: A]
  | readonly ["offerAll", items: ReadonlyArray<A>]
  | readonly ["take" | "takeAll" | "tryTake" | "peek"]
  | readonly ["takeUpTo", n: number]
  | readonly ["end" | "shutdown" | "join" | "taskDone" | "size"]
  | readonly ["fail", error: unknown]

export interface WorkQueueOptions<A> {
  readonly capacity?: number
  readonly strategy?: "suspend" | "dropping" | "sliding" | "reject"
  readonly order?: "fifo" | "lifo" | ((a: A, b: A) => number)
}

export const workQueue = <A>({
  capacity = Infinity,
  order = "fifo",
  strategy = "suspend"
}: WorkQueueOptions<A> = {}): Spec<WorkQueueState<A>, WorkQueueOperation<A>, unknown> => {
  type State = WorkQueueState<A>
  const rank = (a: Item<A>, b: Item<A>): number => (typeof order === "function" ? order(a.item, b.item) : 0)
  const compare = (a: Item<A>, b: Item<A>): number =>
    order === "lifo" ? b.sequence - a.sequence : rank(a, b) || a.sequence - b.sequence

  const put = (state: State, items: ReadonlyArray<Item<A>>): State => ({
    ...state,
    items: [...state.items, ...items].sort(compare)
  })
  const accept = (state: State, item: A): State => ({
    ...put(state, [{ item, sequence: state.sequence }]),
    sequence: state.sequence + 1,
    unfinished: state.unfinished + 1
  })
  /** Without the oldest of those that come last: without an order, the oldest. */
  const evict = (state: State): State => {
    const worst = state.items.reduce((a, b) => ((rank(a, b) || b.sequence - a.sequence) > 0 ? a : b))
    return { ...state, items: state.items.filter((item) => item !== worst), unfinished: state.unfinished - 1 }
  }
  const give = (state: State, ...given: Given<Ended<A>>): State => ({ ...state, given: [...state.given, ...given] })

  /** Takers get what there is, and offers get in where there is room, until neither is left; then those who join are told. */
  const settle = (state: State): State => {
    const [taker, ...takers] = state.takers
    if (taker !== undefined && state.items.length > 0) {
      const next = { ...state, takers, items: state.items.slice(taker.n) }
      return settle(give(next, [taker.id, { took: state.items.slice(0, taker.n) }]))
    }
    const [offer, ...offerers] = state.offerers
    if (offer !== undefined && state.items.length < capacity) {
      const room = capacity - state.items.length
      const rest = offer.items.slice(room)
      const accepted = offer.items.slice(0, room).reduce(accept, state)
      return settle(
        rest.length > 0
          ? { ...accepted, offerers: [{ ...offer, items: rest }, ...offerers] }
          : give({ ...accepted, offerers }, [offer.id, { offered: state.sequence }])
      )
    }
    if (state.unfinished > 0) return state
    return give({ ...state, joiners: [] }, ...state.joiners.map((id) => [id, { joined: true }] as const))
  }

  const close = (state: State, closed: NonNullable<State["closed"]>): State => {
    if (state.closed !== undefined) return state
    const told = [...state.offerers, ...state.takers].map(({ id }) => [id, { closed: true }] as const)
    return give({ ...state, closed, offerers: [], takers: [] }, ...told)
  }
  const closedFor = (state: State): Failed => state.closed?.failure ?? failed(new QueueClosed())

  const take = (
    state: State,
    n: number,
    id: number,
    of: (items: ReadonlyArray<Item<A>>) => unknown
  ): Outcomes<State, unknown> => {
    if (state.items.length > 0) {
      return { state: settle({ ...state, items: state.items.slice(n) }), result: of(state.items.slice(0, n)) }
    }
    if (state.closed !== undefined) return { state, result: closedFor(state) }
    return { state: { ...state, takers: [...state.takers, { id, n }] }, waits: true }
  }
  const first = ([item]: ReadonlyArray<Item<A>>): unknown => item!.item
  const all = (items: ReadonlyArray<Item<A>>): unknown => items.map(({ item }) => item)

  /** One item by a strategy that does not wait; says whether it is in. */
  const admit = (state: State, item: A): readonly [State, boolean] => {
    if (state.items.length < capacity && state.offerers.length === 0) return [settle(accept(state, item)), true]
    if (strategy !== "sliding") return [state, false]
    const next = evict(accept(state, item))
    return [next, next.items.some(({ sequence }) => sequence === state.sequence)]
  }
  const offerAll = (state: State, items: ReadonlyArray<A>, id: number): Outcomes<State, unknown> => {
    if (strategy === "suspend") {
      if (items.length === 0) return { state, result: [] }
      if (state.closed !== undefined) return { state, result: closedFor({ ...state, closed: {} }) }
      return { state: settle({ ...state, offerers: [...state.offerers, { id, items }] }), waits: true }
    }
    if (state.closed !== undefined) return { state, result: failed(new QueueClosed()) }
    if (strategy === "reject" && items.length > Math.max(0, capacity - state.items.length)) {
      return { state, result: failed(new QueueFull(capacity)) }
    }
    const left: Array<A> = []
    for (const item of items) {
      const [next, isIn] = admit(state, item)
      if (!isIn) left.push(item)
      state = next
    }
    return { state, result: left }
  }

  return {
    initial: {
      items: [],
      sequence: 0,
      unfinished: 0,
      closed: undefined,
      takers: [],
      offerers: [],
      joiners: [],
      given: []
    },
    apply: (state, operation, id) => {
      switch (operation[0]) {
        case "offer":
        case "tryOffer": {
          const [name, item] = operation
          if (state.closed !== undefined) return { state, result: failed(new QueueClosed()) }
          const [next, isIn] = admit(state, item)
          if (isIn || strategy === "sliding" || name === "tryOffer") return { state: next, result: isIn }
          if (strategy === "dropping") return { state, result: false }
          if (strategy === "reject") return { state, result: failed(new QueueFull(capacity)) }
          return { state: { ...state, offerers: [...state.offerers, { id, items: [item] }] }, waits: true }
        }
        case "offerAll":
          return offerAll(state, operation[1], id)
        case "take":
          return take(state, 1, id, first)
        case "takeUpTo":
          return take(state, operation[1], id, all)
        case "takeAll":
          return take(state, Infinity, id, all)
        case "tryTake":
          if (state.items.length === 0 && state.closed === undefined) return { state, result: Option.none() }
          return take(state, 1, id, (items) => Option.some(first(items)))
        case "peek":
          return { state, result: Option.map(Option.fromNullable(state.items[0]), ({ item }) => item) }
        case "size":
          return { state, result: state.items.length }
        case "end":
          return { state: close(state, {}), result: state.closed === undefined }
        case "fail":
          return { state: close(state, { failure: failed(operation[1]) }), result: state.closed === undefined }
        case "shutdown": {
          const unfinished = state.unfinished - state.items.length
          return { state: settle({ ...close(state, {}), items: [], unfinished }), result: all(state.items) }
        }
        case "join":
          if (state.unfinished === 0) return { state, result: undefined }
          return { state: { ...state, joiners: [...state.joiners, id] }, waits: true }
        case "taskDone": {
          if (state.unfinished > state.items.length) {
            return { state: settle({ ...state, unfinished: state.unfinished - 1 }), result: undefined }
          }
          const why = "no item is being worked on: called more often than items were taken"
          return { state, result: failed(misuse("WorkQueue.taskDone", why)) }
        }
      }
    },
    resume: (state, [name], id) => {
      const given = givenTo(state.given, id)
      if (given === undefined) return undefined
      const next = { ...state, given: without(state.given, id) }
      if ("took" in given) return { state: next, result: name === "take" ? first(given.took) : all(given.took) }
      if ("offered" in given) return { state: next, result: name === "offer" ? true : [] }
      if ("joined" in given) return { state: next, result: undefined }
      return { state: next, result: name.startsWith("offer") ? failed(new QueueClosed()) : closedFor(state) }
    },
    withdraw: (state, [name], id) => {
      const given = givenTo(state.given, id)
      const left: State = {
        ...state,
        given: without(state.given, id),
        takers: state.takers.filter((taker) => taker.id !== id),
        offerers: state.offerers.filter((offer) => offer.id !== id),
        joiners: state.joiners.filter((joiner) => joiner !== id)
      }
      // What was delivered goes back to where it was, and the item of an offer is taken back unless somebody was quicker.
      if (given !== undefined && "took" in given) return { state: settle(put(left, given.took)) }
      if (given === undefined || !("offered" in given) || name !== "offer") return { state: settle(left) }
      const items = left.items.filter(({ sequence }) => sequence !== given.offered)
      return { state: settle({ ...left, items, unfinished: left.unfinished - (left.items.length - items.length) }) }
    }
  }
}
