import { assert, describe, it } from "@effect/vitest"
import type { Outcome, Request } from "../../src/core/leaseLine.js"
import type { Answer, AcquireRequest, Holder, Port, Released, RenewRequest } from "../../src/core/lessor.js"
import * as core from "../../src/core/lessor.js"
import { HandClock } from "../utils/handClock.js"
import { TestTicket } from "../utils/tickets.js"

class Waiter extends TestTicket<Request, Outcome> {
  /** What it was granted. */
  get held(): core.Held {
    assert.strictEqual(this.result?.kind, "granted")
    return (this.result as Extract<Outcome, { kind: "granted" }>).lease as core.Held
  }
}

/** What the store was asked, and how it is to answer. */
interface Question<Request, Reply> {
  readonly request: Request
  readonly answer: (reply: Reply) => void
  readonly fail: (failure: unknown) => void
}

interface Watch {
  readonly name: string
  readonly freed: () => void
  readonly watching: () => void
  readonly fail: (failure: unknown) => void
  ended: boolean
}

const setup = (options: Partial<core.Options> = {}) => {
  const time = new HandClock()
  const acquired: Array<Question<AcquireRequest, Answer>> = []
  const renewed: Array<Question<RenewRequest, boolean>> = []
  const released: Array<Question<Holder, Released>> = []
  const watches: Array<Watch> = []
  const reports: Array<unknown> = []
  /** In the order in which they are sent. */
  const sent: Array<string> = []
  let ids = 0
  const port: Port = {
    acquire: (request, answer, fail) => {
      sent.push("acquire")
      acquired.push({ request, answer, fail })
    },
    renew: (request, answer, fail) => {
      sent.push("renew")
      renewed.push({ request, answer, fail })
    },
    release: (request, answer, fail) => {
      sent.push("release")
      released.push({ request, answer, fail })
    },
    watch: (name, freed, watching, fail) => {
      const watch: Watch = { name, freed, watching, fail, ended: false }
      watches.push(watch)
      return () => void (watch.ended = true)
    },
    id: () => `id ${++ids}`,
    random: () => 1,
    report: (...told) => void reports.push(told),
    errorOf: (failure) => failure
  }
  const config = core.config("here", "mutex", { limit: 1, lease: 900, poll: 1000, ...options })
  const lessor = new core.Lessor(config, port, time)
  const ask = (permits = 1, tries = false, name = "a"): Waiter => {
    const waiter = new Waiter({ line: lessor.line(name), permits, tries }, 0)
    lessor.enqueue(waiter)
    lessor.check()
    return waiter
  }
  /** One who holds what he asked for. */
  const hold = (): core.Held => {
    const waiter = ask()
    acquired.at(-1)!.answer({ kind: "granted", token: 7, limit: config.limit })
    return waiter.held
  }
  return { time, acquired, renewed, released, watches, reports, sent, lessor, ask, hold }
}

const granted = (token = 7, limit = 1): Answer => ({ kind: "granted", token, limit })
const busy = (retryAfter = 5000, limit = 1): Answer => ({ kind: "busy", retryAfter, limit })
const wasHeld: Released = { held: true, watchers: 0 }
const wasLost: Released = { held: false, watchers: 0 }

const refusal = (f: () => unknown): string => {
  try {
    f()
  } catch (error) {
    return String(error)
  }
  return "accepted"
}

describe("leases of a store, on a clock", () => {
  it("last ten seconds and are asked for each second, under the name of their kind, unless something else was said", () => {
    assert.deepStrictEqual(core.config("here", "mutex", { limit: 1 }), {
      limit: 1,
      lease: 10_000,
      poll: 1000,
      prefix: "mutex"
    })
    const all = { limit: 3, lease: 100, poll: 10, prefix: "" }
    assert.deepStrictEqual(core.config("here", "mutex", all), all)
  })

  it("refuse what they cannot keep, and say what is allowed", () => {
    const refused = (options: any) => refusal(() => core.config("here", "mutex", { limit: 1, ...options }))
    assert.strictEqual(
      refused({ limit: 0 }),
      "RangeError: here: limit must be an integer from 1 to 9007199254740991, got 0"
    )
    assert.strictEqual(refused({ limit: Number.MAX_SAFE_INTEGER }), "accepted")
    assert.strictEqual(
      refused({ lease: 99 }),
      "RangeError: here: lease must be from 100 ms to a day (shorter ones could not be renewed in time), got 99"
    )
    assert.strictEqual(refused({ poll: 9 }), "RangeError: here: poll must be from 10 ms to a day, got 9")
    assert.strictEqual(
      refused({ prefix: 1 }),
      "TypeError: here: prefix must be a string of at most 256 characters, got 1"
    )
  })

  it("refuse a request that could never be granted, before anything is asked", () => {
    const { lessor } = setup({ limit: 3 })
    const refused = (name: string, permits: number) => refusal(() => core.checkRequest("here", lessor, name, permits))
    assert.strictEqual(refused("a", 1), "accepted")
    assert.strictEqual(refused("a", 3), "accepted")
    assert.strictEqual(refused("a", 4), "RangeError: here: permits must be an integer from 1 to 3, got 4")
    assert.strictEqual(refused("a", 0), "RangeError: here: permits must be an integer from 1 to 3, got 0")
    assert.strictEqual(refused("", 1), 'RangeError: here: name must be of 1 to 1000 characters, got ""')
  })

  it("an answer of a store that is none is refused by its name, and not taken for a grant", () => {
    for (const answer of [granted(0), busy(0), busy(Infinity)]) assert.strictEqual(core.checkAnswer(answer), answer)
    const refused = (answer: any) => refusal(() => core.checkAnswer(answer))
    const acquire = "LeaseStore.acquire:"
    assert.strictEqual(refused(undefined), `TypeError: ${acquire} answer must be an object, got undefined`)
    assert.strictEqual(refused(null), `TypeError: ${acquire} answer must be an object, got null`)
    for (const kind of ["granted", "busy"])
      assert.strictEqual(
        refused({ kind, token: 1, retryAfter: 1, limit: 0 }),
        `RangeError: ${acquire} limit must be an integer of at least 1, got 0`
      )
    assert.strictEqual(
      refused({ kind: "granted", limit: 1, token: -1 }),
      `RangeError: ${acquire} token must be an integer of at least 0, got -1`
    )
    assert.strictEqual(
      refused({ kind: "busy", limit: 1, retryAfter: -1 }),
      `RangeError: ${acquire} retryAfter must be 0 or more milliseconds, got -1`
    )
    assert.strictEqual(
      refused({ kind: "", limit: 1, retryAfter: 1 }),
      `TypeError: ${acquire} kind must be "granted" or "busy", got ""`
    )
    assert.isTrue(core.checkHeld(true))
    assert.isFalse(core.checkHeld(false))
    assert.strictEqual(
      refusal(() => core.checkHeld(1 as any)),
      "TypeError: LeaseStore.renew: answer must be true or false, got 1"
    )
    assert.strictEqual(core.checkReleased(wasHeld), wasHeld)
    const refusedRelease = (released: any) => refusal(() => core.checkReleased(released))
    assert.strictEqual(
      refusedRelease(undefined),
      "TypeError: LeaseStore.release: held must be true or false, got undefined"
    )
    assert.strictEqual(
      refusedRelease({ held: "yes", watchers: 0 }),
      'TypeError: LeaseStore.release: held must be true or false, got "yes"'
    )
    assert.strictEqual(
      refusedRelease({ held: true, watchers: -1 }),
      "RangeError: LeaseStore.release: watchers must be an integer of at least 0, got -1"
    )
  })

  it("what is asked for is held under an id of its own, renewed each third, and given back under the same id", () => {
    const { acquired, ask, lessor, released, renewed, reports, time } = setup({ limit: 3 })
    const waiter = ask(2)
    const holder = { name: "mutex:a", holder: "id 1" }
    assert.deepStrictEqual(acquired[0]!.request, { ...holder, permits: 2, limit: 3, lease: 900 })
    assert.deepStrictEqual(lessor.stats(), { held: 0, waiting: 1 })
    acquired[0]!.answer(granted(7, 3))
    assert.strictEqual(waiter.wakes, 1)
    const { held } = waiter
    assert.deepInclude(held, { name: "a", token: 7, permits: 2 })
    assert.deepStrictEqual(lessor.stats(), { held: 1, waiting: 0 })
    assert.isTrue(Object.isFrozen(lessor.stats()))
    assert.strictEqual(held.remaining, 900 - 11)
    time.to(299)
    assert.strictEqual(renewed.length, 0)
    time.to(300)
    assert.deepStrictEqual(renewed[0]!.request, { ...holder, lease: 900 })
    renewed[0]!.answer(true)
    assert.strictEqual(held.remaining, 900 - 11)
    time.to(600)
    assert.strictEqual(renewed.length, 2)
    const done: Array<unknown> = []
    held.release((loss) => done.push(loss))
    assert.deepStrictEqual(released[0]!.request, holder)
    // A renewal that is answered late is nobody's business.
    renewed[1]!.answer(true)
    assert.deepStrictEqual(done, [])
    released[0]!.answer(wasHeld)
    assert.deepStrictEqual(done, [undefined])
    assert.deepStrictEqual(lessor.stats(), { held: 0, waiting: 0 })
    assert.isTrue(lessor.isIdle)
    assert.deepStrictEqual([time.timers.size, reports], [0, []])
  })

  it("a process whose work is done is kept alive by whoever waits, and by no lease", () => {
    const { acquired, ask, hold, time } = setup()
    hold()
    assert.deepStrictEqual([...time.timers.values()], [{ at: 300, idle: true }])
    ask(1, false, "b")
    acquired[1]!.answer(busy())
    assert.deepStrictEqual([...time.timers.values()].at(-1), { at: 1000, idle: false })
  })

  it("a renewal that fails is tried again a tenth later, and what was held on stays held", () => {
    const { hold, renewed, time } = setup()
    const held = hold()
    time.to(300)
    renewed[0]!.fail("down")
    assert.isUndefined(held.look())
    time.to(389)
    assert.strictEqual(renewed.length, 1)
    time.to(390)
    assert.strictEqual(renewed.length, 2)
  })

  it("a lease that runs out is told to those who listen and then to those who wait for it, once, in time", () => {
    const { acquired, ask, hold, lessor, time } = setup()
    const held = hold()
    const told: Array<string> = []
    held.listen(() => told.push("one"))
    held.listen(() => told.push("two"))
    held.listen(() => told.push("not"))()
    assert.isFalse(held.lost.isSet)
    const next = ask()
    assert.strictEqual(acquired.length, 1, "it is held here")
    time.to(888)
    assert.deepStrictEqual(told, [])
    time.to(889)
    assert.deepStrictEqual(told, ["one", "two"])
    assert.isTrue(held.lost.isSet)
    assert.deepStrictEqual(lessor.stats(), { held: 0, waiting: 1 })
    assert.strictEqual(acquired.length, 2, "whoever waits here is asked for")
    assert.isFalse(held.heard)
    assert.strictEqual(held.hear()?.reason, "expired")
    assert.isTrue(held.heard)
    assert.deepStrictEqual(told, ["one", "two"])
    assert.isUndefined(next.result)
    assert.strictEqual([...time.timers.keys()].includes(held), false)
  })

  it("whoever looks finds out that it was lost, before a timer says so; who only looks has not been told", () => {
    const { hold, lessor, time } = setup()
    const held = hold()
    assert.isUndefined(held.hear())
    assert.isFalse(held.heard)
    time.stopped(889)
    assert.strictEqual(held.look()?.reason, "expired")
    assert.isFalse(held.heard)
    assert.strictEqual(time.timers.size, 0)
    assert.deepStrictEqual(lessor.stats(), { held: 0, waiting: 0 })
  })

  it("a renewal that says that it is lost counts at once", () => {
    const { hold, lessor, renewed, time } = setup()
    const held = hold()
    let told = 0
    held.listen(() => told++)
    time.to(300)
    renewed[0]!.answer(false)
    assert.deepStrictEqual([told, held.loss?.reason], [1, "unknown to the store"])
    assert.deepStrictEqual([lessor.stats(), time.timers.size], [{ held: 0, waiting: 0 }, 0])
  })

  it("what ran out is given back all the same: on the store's clock it may last a little longer", () => {
    const { hold, released, reports, time } = setup()
    const held = hold()
    time.stopped(889)
    const done: Array<unknown> = []
    held.release((loss) => done.push(loss?.reason))
    assert.deepStrictEqual(done, ["expired"])
    assert.deepStrictEqual(
      released.map(({ request }) => request),
      [{ name: "mutex:a", holder: "id 1" }]
    )
    // Nobody minds what comes of that.
    released[0]!.fail("down")
    assert.deepStrictEqual(reports, [])
    held.release((loss) => done.push(loss?.reason))
    assert.deepStrictEqual([done, released.length], [["expired", "expired"], 1])
  })

  it("what the store does not know is not given back", () => {
    const { hold, released, renewed, time } = setup()
    const held = hold()
    time.to(300)
    renewed[0]!.answer(false)
    const done: Array<unknown> = []
    held.release((loss) => done.push(loss?.reason))
    assert.deepStrictEqual([done, released.length], [["unknown to the store"], 0])
  })

  it("given back twice, it is given back once: the second would take it from the next holder", () => {
    const { hold, released } = setup()
    const held = hold()
    const done: Array<string> = []
    held.release(() => done.push("first"))
    held.release(() => done.push("second"))
    assert.deepStrictEqual([done, released.length], [["second"], 1])
    released[0]!.answer(wasHeld)
    assert.deepStrictEqual(done, ["second", "first"])
  })

  it("that it was lost before it was given back is told to whoever gives it back, and to those who listen", () => {
    const { hold, lessor, released } = setup()
    const held = hold()
    let told = 0
    held.listen(() => told++)
    const done: Array<unknown> = []
    held.release((loss) => done.push(loss?.reason))
    assert.strictEqual(held.status, "ending")
    released[0]!.answer(wasLost)
    assert.deepStrictEqual([done, told, held.status], [["unknown to the store"], 1, "lost"])
    assert.deepStrictEqual(lessor.stats(), { held: 0, waiting: 0 })
    const ended = hold()
    ended.listen(() => told++)
    ended.release(() => {})
    released[1]!.answer(wasHeld)
    assert.deepStrictEqual([told, ended.status], [1, "over"])
  })

  it("that it could not be given back is reported, and keeps neither its holder nor the next one here waiting", () => {
    const { acquired, ask, hold, lessor, released, reports } = setup()
    const held = hold()
    ask()
    const done: Array<unknown> = []
    held.release((loss) => done.push(loss))
    released[0]!.fail("down")
    assert.deepStrictEqual(done, [undefined])
    assert.deepStrictEqual(reports, [
      ["a", "the lease could not be given back, and ends by itself", { failure: "down" }]
    ])
    assert.deepStrictEqual([held.status, acquired.length], ["over", 2])
    assert.deepStrictEqual(lessor.stats(), { held: 0, waiting: 1 })
  })

  it("at the end of a scope, a loss that nobody has heard of is reported, and one that somebody has is not", () => {
    for (const isHeard of [false, true]) {
      const { hold, lessor, reports, time } = setup()
      const held = hold()
      time.stopped(889)
      if (isHeard) held.hear()
      let done = 0
      lessor.leave(held, () => done++)
      assert.strictEqual(done, 1)
      const message =
        'the lease of "a" with the token 7 is lost: it was not renewed in time, and nobody was told before it was given back'
      assert.deepStrictEqual(reports, isHeard ? [] : [["a", message]])
    }
    const { hold, lessor, released, reports } = setup()
    let done = 0
    lessor.leave(hold(), () => done++)
    assert.strictEqual(done, 0)
    released[0]!.answer(wasHeld)
    assert.deepStrictEqual([done, reports], [1, []])
  })

  it("who only tries is told at once what is known here, and costs no question", () => {
    const { acquired, ask, hold, lessor } = setup()
    hold()
    const tries = ask(1, true)
    assert.deepStrictEqual(tries.result, { kind: "busy" })
    assert.deepStrictEqual([tries.wakes, acquired.length], [1, 1])
    assert.deepStrictEqual(lessor.stats(), { held: 1, waiting: 0 })
    // Where nothing is known, the store is asked.
    const other = ask(1, true, "b")
    assert.isUndefined(other.result)
    acquired[1]!.answer(busy())
    assert.deepStrictEqual([other.result, other.wakes], [{ kind: "busy" }, 1])
    assert.deepStrictEqual(lessor.stats(), { held: 1, waiting: 0 })
  })

  it("who waits and is told of freed permits is asked for at once, and otherwise after the poll", () => {
    const { acquired, ask, time, watches } = setup()
    const waiter = ask()
    acquired[0]!.answer(busy())
    assert.deepStrictEqual(
      watches.map(({ ended, name }) => [name, ended]),
      [["mutex:a", false]]
    )
    watches[0]!.watching()
    assert.strictEqual(acquired.length, 2, "something may have been freed before it was watched")
    acquired[1]!.answer(busy())
    watches[0]!.freed()
    assert.deepStrictEqual([acquired.length, time.at], [3, 0])
    assert.strictEqual(time.timers.size, 0, "what is being asked needs no timer")
    acquired[2]!.answer(busy())
    time.to(999)
    assert.strictEqual(acquired.length, 3)
    time.to(1000)
    assert.strictEqual(acquired.length, 4)
    acquired[3]!.answer(granted())
    assert.strictEqual(waiter.wakes, 1)
    assert.isTrue(watches[0]!.ended)
    // What a watch says that has ended is nobody's business.
    const next = ask()
    watches[0]!.freed()
    watches[0]!.watching()
    watches[0]!.fail("down")
    assert.isUndefined(next.result)
    assert.strictEqual(acquired.length, 4)
  })

  it("that the store does not tell of freed permits is reported once; when it does again and then does not, once more", () => {
    const { acquired, ask, reports, time, watches } = setup()
    ask()
    const told = [
      "a",
      "the store does not tell when permits are freed: it is asked every 1000 ms instead",
      { failure: "down" }
    ]
    acquired[0]!.answer(busy())
    watches[0]!.fail("down")
    assert.deepStrictEqual(reports, [told])
    time.to(1000)
    acquired[1]!.answer(busy())
    assert.strictEqual(watches.length, 2, "it is tried again")
    watches[0]!.fail("late")
    watches[1]!.fail("still down")
    assert.strictEqual(reports.length, 1)
    time.to(2000)
    acquired[2]!.answer(busy())
    watches[1]!.freed()
    watches[1]!.watching()
    assert.strictEqual(acquired.length, 3)
    watches[2]!.watching()
    acquired[3]!.answer(busy())
    watches[2]!.fail("down")
    assert.deepStrictEqual(reports, [told, told])
    assert.isFalse(watches[0]!.ended, "one that failed has ended by itself")
  })

  it("when the store fails, all who wait hear of it; and what it may have granted is given back", () => {
    const { acquired, ask, lessor, released, reports } = setup()
    const waiters = [ask(), ask()]
    acquired[0]!.fail("down")
    for (const waiter of waiters) {
      assert.deepStrictEqual(waiter.result, { kind: "failed", failure: "down" })
      assert.strictEqual(waiter.wakes, 1)
    }
    assert.deepStrictEqual(
      released.map(({ request }) => request),
      [{ name: "mutex:a", holder: "id 1" }]
    )
    // Should that fail as well, the lease ends by itself.
    released[0]!.fail("down")
    assert.deepStrictEqual(reports, [])
    assert.isTrue(lessor.isIdle)
  })

  it("a failure that nobody is there to hear of is reported", () => {
    const { acquired, ask, lessor, reports } = setup()
    const waiter = ask()
    assert.isUndefined(lessor.cancel(waiter))
    acquired[0]!.fail("down")
    assert.deepStrictEqual(reports, [["a", "the store failed when the caller had gone", { failure: "down" }]])
    assert.isTrue(lessor.isIdle)
  })

  it("what is granted to one who has gone is given back before the next question, or the store would still count it", () => {
    const { acquired, ask, lessor, released, reports, sent, time } = setup({ limit: 2 })
    const gone = ask(1)
    const next = ask(2)
    lessor.cancel(gone)
    acquired[0]!.answer(granted(7, 2))
    assert.deepStrictEqual(sent, ["acquire", "release", "acquire"])
    assert.deepStrictEqual(released[0]!.request, { name: "mutex:a", holder: "id 1" })
    assert.deepStrictEqual(acquired[1]!.request, { name: "mutex:a", holder: "id 2", permits: 2, limit: 2, lease: 900 })
    assert.deepStrictEqual(lessor.stats(), { held: 0, waiting: 1 })
    assert.strictEqual(time.timers.size, 0, "nothing of it is renewed")
    released[0]!.answer(wasHeld)
    assert.deepStrictEqual(reports, [])
    released[0]!.fail("down")
    assert.deepStrictEqual(reports, [
      ["a", "what nobody waited for any more could not be given back, and ends by itself", { failure: "down" }]
    ])
    acquired[1]!.answer(granted(8, 2))
    assert.strictEqual(next.held.token, 8)
  })

  it("what was granted to one who goes before he hears of it is given back, and the next one has it", () => {
    const { acquired, ask, lessor, released } = setup()
    const [gone, next] = [ask(), ask()]
    acquired[0]!.answer(granted())
    assert.isUndefined(lessor.cancel(gone))
    assert.strictEqual(released.length, 1)
    released[0]!.answer(wasHeld)
    assert.strictEqual(acquired.length, 2)
    acquired[1]!.answer(granted(8))
    assert.strictEqual(next.held.token, 8)
    assert.deepStrictEqual(lessor.stats(), { held: 1, waiting: 0 })
  })

  it("the next in line here lets others go first of whom the store says that they wait", () => {
    const { acquired, ask, hold, released, time, watches } = setup()
    const held = hold()
    ask()
    held.release(() => {})
    released[0]!.answer({ held: true, watchers: 1 })
    assert.deepStrictEqual([acquired.length, watches.length], [1, 1])
    time.to(1000)
    assert.strictEqual(acquired.length, 2)
  })

  it("what the store tells while a release is on its way counts: the next one here need not wait for it again", () => {
    for (const isTold of [false, true]) {
      const { acquired, ask, released, watches } = setup()
      const first = ask()
      ask()
      acquired[0]!.answer(busy())
      watches[0]!.watching()
      acquired[1]!.answer(granted())
      first.held.release(() => {})
      if (isTold) watches[0]!.freed()
      released[0]!.answer({ held: true, watchers: 2 })
      assert.strictEqual(acquired.length, isTold ? 3 : 2)
    }
  })

  it("another limit than is configured here is told once for each: somebody has deployed two that disagree", () => {
    const { acquired, ask, reports } = setup()
    for (const [index, limit] of [3, 1, 3, 4].entries()) {
      ask(1, true, `${index}`)
      acquired[index]!.answer(busy(5, limit))
    }
    const told = (name: string, limit: number) => [
      name,
      `the limit is ${limit} and not 1 as configured here: whoever holds permits now asked for them with that, and it stays until nobody holds any`
    ]
    assert.deepStrictEqual(reports, [told("0", 3), told("3", 4)])
  })

  it("a line that ends late does not take away the one that its name has by then", () => {
    const { acquired, ask, lessor } = setup()
    const first = ask(1, true)
    acquired[0]!.answer(busy())
    const second = ask()
    const line = lessor.line("a")
    assert.notStrictEqual(first.request.line, line)
    assert.strictEqual(second.request.line, line)
    lessor.proceed(first.request.line as any, undefined)
    assert.strictEqual(lessor.line("a"), line)
    assert.deepStrictEqual(lessor.stats(), { held: 0, waiting: 1 })
    assert.isFalse(lessor.isIdle)
  })

  it("check finds a line that does not hold", () => {
    const { ask, lessor } = setup()
    ask().request.line.held = -1
    assert.throws(() => lessor.check(), "I1: -1 permits are held")
  })
})
