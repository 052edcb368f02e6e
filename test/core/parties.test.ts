import { assert, describe, it } from "@effect/vitest"
import type { Result } from "../../src/core/lookout.js"
import type { Arrival, ArriveRequest, PartyRequest, Port, WithdrawRequest } from "../../src/core/parties.js"
import * as core from "../../src/core/parties.js"
import type { Answer } from "../../src/core/party.js"
import { HandClock } from "../utils/handClock.js"
import { TestTicket } from "../utils/tickets.js"

class Waiter extends TestTicket<undefined, Result> {}

interface Question {
  readonly kind: "arrive" | "renew"
  readonly request: ArriveRequest | PartyRequest
  readonly answer: (answer: Answer) => void
  readonly fail: (failure: unknown) => void
}

interface Withdrawal {
  readonly request: WithdrawRequest
  readonly done: () => void
  readonly fail: (failure: unknown) => void
}

const setup = (options: Partial<core.Options> = {}) => {
  const time = new HandClock()
  const questions: Array<Question> = []
  const withdrawals: Array<Withdrawal> = []
  const watches: Array<{ readonly name: string; readonly changed: () => void; ended: boolean }> = []
  const reports: Array<unknown> = []
  const none = () => assert.fail("nobody asked for that")
  let ids = 0
  const port: Port = {
    arrive: (request, answer, fail) => void questions.push({ kind: "arrive", request, answer, fail }),
    renew: (request, answer, fail) => void questions.push({ kind: "renew", request, answer, fail }),
    withdraw: (request, done, fail) => void withdrawals.push({ request, done, fail }),
    reset: none,
    abort: none,
    isBroken: none,
    watch: (name, changed) => {
      const watch = { name, changed, ended: false }
      watches.push(watch)
      return () => void (watch.ended = true)
    },
    id: () => `id ${++ids}`,
    random: () => 1,
    report: (...told) => void reports.push(told),
    errorOf: (failure) => failure
  }
  const parties = new core.Parties(core.config("here", { parties: 2, lease: 900, poll: 200, ...options }), port, time)
  const arrive = (name = "a"): { readonly arrival: Arrival; readonly waiter: Waiter } => {
    const arrival = parties.arrival(name)
    const waiter = new Waiter(undefined, 0)
    parties.enqueue(arrival, waiter)
    parties.check()
    return { arrival, waiter }
  }
  return { time, questions, withdrawals, watches, reports, parties, arrive }
}

const waits: Answer = { kind: "waiting", parties: 2, generation: 7 }
const passed: Answer = { kind: "passed", parties: 2, index: 1 }

const refusal = (f: () => unknown): string => {
  try {
    f()
  } catch (error) {
    return String(error)
  }
  return "accepted"
}

describe("barriers of a store, on a clock", () => {
  it("have parties that are relied on for ten seconds, that ask each second and that withdraw, unless something else was said", () => {
    assert.deepStrictEqual(core.config("here", { parties: 3 }), {
      parties: 3,
      lease: 10_000,
      breaks: false,
      poll: 1000,
      prefix: "barrier"
    })
    assert.deepStrictEqual(
      core.config("here", { parties: 100_000, lease: 500, onInterrupt: "break", poll: 10, prefix: "app" }),
      { parties: 100_000, lease: 500, breaks: true, poll: 10, prefix: "app" }
    )
    assert.isFalse(core.config("here", { parties: 1, onInterrupt: "withdraw" }).breaks)
  })

  it("refuse what they cannot keep, and say what is allowed", () => {
    const refused = (options: any) => refusal(() => core.config("here", options))
    assert.strictEqual(refused(undefined), "TypeError: here: options must be an object, got undefined")
    assert.strictEqual(
      refused({ parties: 100_001 }),
      "RangeError: here: parties must be an integer from 1 to 100000, got 100001"
    )
    assert.strictEqual(refused({ parties: 0 }), "RangeError: here: parties must be an integer from 1 to 100000, got 0")
    assert.strictEqual(
      refused({ parties: 1, lease: 99 }),
      "RangeError: here: lease must be from 100 ms to a day (shorter ones could not be renewed in time), got 99"
    )
    assert.strictEqual(
      refused({ parties: 1, onInterrupt: "leave" }),
      'RangeError: here: onInterrupt must be one of "withdraw", "break", got "leave"'
    )
    assert.strictEqual(refused({ parties: 1, poll: 9 }), "RangeError: here: poll must be from 10 ms to a day, got 9")
  })

  it("an answer of a store that is none is refused by its name, and lets nobody pass", () => {
    for (const answer of [waits, passed, { kind: "broken", parties: 1 }, { kind: "unknown" }] as const)
      assert.strictEqual(core.checkAnswer(answer), answer)
    const refused = (answer: any) => refusal(() => core.checkAnswer(answer))
    const kinds = 'kind must be one of "waiting", "passed", "broken", "unknown"'
    assert.strictEqual(refused(undefined), `TypeError: PartyStore: ${kinds}, got undefined`)
    assert.strictEqual(refused({ kind: "" }), `RangeError: PartyStore: ${kinds}, got ""`)
    for (const kind of ["waiting", "passed", "broken"])
      assert.strictEqual(
        refused({ kind, parties: 0, index: 0, generation: 0 }),
        "RangeError: PartyStore: parties must be an integer of at least 1, got 0"
      )
    assert.strictEqual(
      refused({ kind: "passed", parties: 1, index: -1 }),
      "RangeError: PartyStore: index must be an integer of at least 0, got -1"
    )
    assert.strictEqual(
      refused({ kind: "waiting", parties: 1, generation: 0.5 }),
      "RangeError: PartyStore: generation must be an integer of at least 0, got 0.5"
    )
    assert.isTrue(core.checkBroken(true))
    assert.isFalse(core.checkBroken(false))
    assert.strictEqual(
      refusal(() => core.checkBroken("no" as any)),
      'TypeError: PartyStore.isBroken: answer must be true or false, got "no"'
    )
  })

  it("a party arrives under its own id, renews its lease while it waits, and is woken when it passes", () => {
    const { arrive, parties, questions, reports, time, withdrawals } = setup()
    const { arrival, waiter } = arrive()
    const request = { name: "barrier:a", party: "id 1", lease: 900 }
    assert.deepStrictEqual(
      questions.map(({ kind, request }) => ({ kind, request })),
      [{ kind: "arrive", request: { ...request, parties: 2 } }]
    )
    questions[0]!.answer(waits)
    time.to(199)
    assert.strictEqual(questions.length, 1)
    time.to(200)
    assert.deepStrictEqual([questions[1]!.kind, questions[1]!.request], ["renew", request])
    assert.deepStrictEqual(parties.stats(), { waiting: 1 })
    assert.isTrue(Object.isFrozen(parties.stats()))
    questions[1]!.answer(passed)
    assert.strictEqual(waiter.wakes, 1)
    assert.deepStrictEqual(arrival.outcome, { kind: "passed", index: 1 })
    assert.deepStrictEqual(parties.stats(), { waiting: 0 })
    assert.strictEqual(time.timers.size, 0)
    assert.deepStrictEqual([withdrawals, reports], [[], []])
  })

  it("a party that waits hears of a change at once, and the store keeps no watch for it when it has passed", () => {
    const { arrive, questions, time, watches } = setup()
    arrive()
    assert.strictEqual(watches.length, 0)
    questions[0]!.answer(waits)
    assert.deepStrictEqual(
      watches.map(({ ended, name }) => [name, ended]),
      [["barrier:a", false]]
    )
    watches[0]!.changed()
    assert.deepStrictEqual([questions.length, time.at], [2, 0])
    assert.isFalse(watches[0]!.ended)
    // What is being asked needs no timer.
    assert.strictEqual(time.timers.size, 0)
    questions[1]!.answer(passed)
    assert.isTrue(watches[0]!.ended)
  })

  it("one that goes is withdrawn, so the others do not pass without it; and nothing of it is left here", () => {
    for (const onInterrupt of ["withdraw", "break"] as const) {
      const { arrive, parties, questions, reports, time, watches, withdrawals } = setup({ onInterrupt })
      const { arrival, waiter } = arrive()
      questions[0]!.answer(waits)
      assert.isUndefined(parties.cancel(arrival, waiter))
      assert.deepStrictEqual(
        withdrawals.map(({ request }) => request),
        [{ name: "barrier:a", party: "id 1", lease: 900, breaks: onInterrupt === "break" }]
      )
      assert.isTrue(watches[0]!.ended)
      assert.deepStrictEqual([parties.stats(), time.timers.size], [{ waiting: 0 }, 0])
      withdrawals[0]!.done()
      assert.deepStrictEqual(reports, [])
    }
  })

  it("one that has passed in time is not withdrawn when its caller goes: it would take an arrival from nobody", () => {
    const { arrive, parties, questions, withdrawals } = setup()
    const { arrival, waiter } = arrive()
    questions[0]!.answer(passed)
    parties.cancel(arrival, waiter)
    assert.deepStrictEqual(withdrawals, [])
  })

  it("that it could not be withdrawn is reported: for the others wait for its lease to end", () => {
    const { arrive, parties, reports, withdrawals } = setup()
    const { arrival, waiter } = arrive()
    parties.cancel(arrival, waiter)
    withdrawals[0]!.fail("down")
    assert.deepStrictEqual(reports, [
      [
        "a",
        "a party that is gone could not be withdrawn: the others hear of it when its lease ends",
        { failure: "down" }
      ]
    ])
  })

  it("an arrival that fails twice may have come there all the same: it is withdrawn, and its caller hears what failed", () => {
    const { arrive, parties, questions, withdrawals } = setup()
    const { arrival, waiter } = arrive()
    questions[0]!.fail("down")
    assert.deepStrictEqual([questions.length, withdrawals.length], [2, 0])
    assert.deepStrictEqual(questions[1]!.request, questions[0]!.request)
    questions[1]!.fail("still down")
    assert.strictEqual(withdrawals.length, 1)
    assert.strictEqual(waiter.wakes, 1)
    assert.deepStrictEqual(arrival.outcome, { kind: "failed", failure: "still down" })
    assert.deepStrictEqual(parties.stats(), { waiting: 0 })
  })

  it("another number of parties than is configured here is told once for each: somebody has deployed two that disagree", () => {
    const { arrive, questions, reports } = setup()
    for (const [index, parties] of [3, 2, 3, 4].entries()) {
      arrive()
      questions[index]!.answer({ kind: "broken", parties })
    }
    arrive()
    questions[4]!.answer({ kind: "unknown" })
    const told = (parties: number) => [
      "a",
      `the number of parties is ${parties} and not 2 as configured here: the first who waits now came with that, and it stays until nobody waits`
    ]
    assert.deepStrictEqual(reports, [told(3), told(4)])
  })

  it("check finds a party that does not hold", () => {
    const { arrive, parties } = setup()
    const { arrival } = arrive()
    arrival.outcome = { kind: "broken" }
    assert.throws(() => parties.check(), "I1: new, and broken")
  })
})
