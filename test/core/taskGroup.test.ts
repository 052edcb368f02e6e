import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as running from "../../src/core/running.js"
import * as core from "../../src/core/taskGroup.js"
import { wake } from "../../src/core/ticket.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

class Member extends TestTicket<undefined, core.Stop> implements core.Member {
  older: running.Work | undefined = undefined
  newer: running.Work | undefined = undefined
  list: running.State<any> | undefined = undefined

  constructor(
    readonly name: string | undefined,
    readonly order: number
  ) {
    super(undefined, 0)
  }
}

const make = (keeper: "body" | "scope" = "body") => {
  let body!: Member
  const state = core.make(keeper, (name, order) => (body = new Member(name, order)))
  const start = (name?: string): Member => {
    const place = core.enter(state, name)
    if (place instanceof core.TaskGroupClosed) throw place
    const ticket = new Member(name, place)
    core.start(state, ticket)
    return ticket
  }
  return { state, body, start }
}

const failure = (...errors: ReadonlyArray<unknown>): core.Failure => ({ errors, fatal: false, cause: { errors } })

describe("the task group", () => {
  it("is what its model says, whatever happens in whichever order (I1, I2, I3, I4)", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.constantFrom("start", "start", "end", "fail", "drop", "cancel", "outside", "listen"), fc.nat()),
          {
            maxLength: 40
          }
        ),
        (commands) => {
          const { body, start, state } = make()
          let there: Array<Member> = [body]
          const listeners: Array<TestTicket<undefined, core.Stop>> = []
          const failed: Array<readonly [number, string]> = []
          let stopping = false
          let bodyTold = false
          commands.forEach(([command, n], step) => {
            const pick = there[n % there.length]
            const take = () => {
              there = there.filter((each) => each !== pick)
            }
            if (command === "start") {
              if (there.length > 0 && !stopping) there.push(start(`task ${step}`))
              else assert.throws(() => start(), core.TaskGroupClosed)
            } else if (command === "cancel") {
              wake(core.cancel(state, step))
              if (there.length > 0) stopping = true
            } else if (command === "outside") {
              wake(core.outside(state, step))
              if (there.length > 0) stopping = bodyTold = true
            } else if (command === "listen") {
              const listener = new TestTicket<undefined, core.Stop>(undefined, 0)
              wake(core.listen(state, listener))
              if (there.length > 0) listeners.push(listener)
            } else if (pick !== undefined) {
              take()
              const error = `error ${step}`
              const how = command === "end" ? "done" : command === "fail" ? failure(error) : "cancelled"
              wake(core.end(state, pick, how))
              if (command === "fail") failed.push([pick.order, error])
              if (command === "fail" || (command === "drop" && pick === body)) stopping = bodyTold = true
              assert.isUndefined(core.end(state, pick, failure("again")), "it has ended")
            }
            core.check(state)
            assert.strictEqual(core.status(state), there.length === 0 ? "closed" : stopping ? "stopping" : "open")
            for (const each of there) {
              assert.strictEqual(each.wakes, (each === body ? bodyTold : stopping) ? 1 : 0)
            }
            if (there.length > 0) for (const { wakes } of listeners) assert.strictEqual(wakes, stopping ? 1 : 0)
            assert.deepStrictEqual(
              core.stats(state).names,
              there.map(({ name }) => name ?? "(no name)")
            )
          })
          while (there.length > 0) wake(core.end(state, there.shift()!, "done"))
          const outcome = core.claim(state, false)!
          const errors = failed.sort(([a], [b]) => a - b).map(([, error]) => error)
          assert.strictEqual(outcome.failed, errors.length > 0)
          if (errors.length === 1) assert.strictEqual(outcome.error, errors[0])
          if (errors.length > 1) assert.deepStrictEqual((outcome.error as core.TaskGroupError).errors, errors)
        }
      )
    ))

  it("tells the body first, then the others in order of their start, then wakes nobody who waits for the end", () => {
    const { body, start, state } = make()
    const [a, b, c] = [start(), start(), start()]
    const waiter = new TestTicket<undefined, undefined>(undefined, 0)
    running.enqueue(state.members, waiter)
    assert.deepStrictEqual(ticketsOf(core.end(state, b, failure("b"))), [body, a, c])
    assert.deepStrictEqual(a.result, { why: "failure", reason: "b" })
    assert.deepStrictEqual(ticketsOf(core.end(state, a, "cancelled")), [])
    assert.deepStrictEqual(ticketsOf(core.end(state, c, failure("c"))), [])
    assert.deepStrictEqual(ticketsOf(core.end(state, body, "cancelled")), [waiter])
  })

  it("gives the outcome to the first who asks (I5)", () => {
    const { body, start, state } = make()
    wake(core.end(state, start("a"), failure("oops")))
    wake(core.end(state, body, "done"))
    assert.strictEqual(core.claim(state, false)!.error, "oops")
    assert.isUndefined(core.claim(state, false))
  })

  it("puts the errors into one in order of the start, the body's last, and names who failed", () => {
    const { body, start, state } = make()
    const [a, b] = [start("a"), start()]
    core.end(state, body, failure("of the body"))
    core.end(state, b, failure("of b", "too"))
    core.end(state, a, failure("of a"))
    const { cause, error, fatal } = core.claim(state, false)!
    assert.instanceOf(error, core.TaskGroupError)
    assert.instanceOf(error, AggregateError)
    assert.deepStrictEqual((error as AggregateError).errors, ["of a", "of b", "too", "of the body"])
    assert.strictEqual((error as Error).message, "3 tasks of the group failed: a, (no name), (body)")
    assert.deepStrictEqual([cause, fatal], [undefined, false])
  })

  it("an error object that several hand on is one error; equal values that are no objects may be several", () => {
    const outcome = (shared: unknown) => {
      const { body, start, state } = make()
      core.end(state, start(), failure(shared))
      core.end(state, body, failure(shared))
      return core.claim(state, false)!
    }
    const error = new Error("one")
    assert.strictEqual(outcome(error).error, error)
    const { body, start, state } = make()
    const [one, two, three] = [new Error("1"), new Error("2"), new Error("3")]
    core.end(state, start(), failure(one, two))
    core.end(state, body, failure(two, three, one))
    assert.deepStrictEqual((core.claim(state, false)!.error as AggregateError).errors, [one, two, three])
    assert.deepStrictEqual((outcome("text").error as AggregateError).errors, ["text", "text"])
  })

  it("one error and a request from outside are put into one for a skin that can show only one", () => {
    const outcome = (intoOne: boolean) => {
      const { body, start, state } = make()
      const task = start("a")
      core.outside(state, "enough")
      core.end(state, task, failure("oops"))
      core.end(state, body, "cancelled")
      return core.claim(state, intoOne)!
    }
    assert.strictEqual(outcome(false).error, "oops")
    const error = outcome(true).error as core.TaskGroupError
    assert.deepStrictEqual([error.errors, error.cause], [["oops"], "enough"])
    assert.deepStrictEqual(outcome(true).outside, { reason: "enough" })
  })

  it("a scope keeps it open until it is over, and once only", () => {
    const { start, state } = make("scope")
    const task = start()
    assert.deepStrictEqual(core.stats(state).names, ["(scope)", "(no name)"])
    assert.isUndefined(core.endScope(state))
    core.check(state)
    assert.strictEqual(core.status(state), "open")
    assert.isUndefined(core.endScope(state))
    assert.strictEqual(core.status(state), "open")
    core.end(state, task, "done")
    assert.strictEqual(core.status(state), "closed")
    assert.isUndefined(core.endScope(state))
  })

  it("a scope that is over is told nothing any more", () => {
    const { start, state } = make("scope")
    const task = start()
    core.endScope(state)
    assert.deepStrictEqual(ticketsOf(core.outside(state, "enough")), [task])
    assert.deepStrictEqual(task.result, { why: "outside", reason: "enough" })
    core.check(state)
  })

  it("whoever comes late hears the first reason, or nothing when the group has ended", () => {
    const listener = () => new TestTicket<undefined, core.Stop>(undefined, 0)
    const { body, start, state } = make()
    const task = start()
    core.cancel(state, "first")
    assert.isUndefined(core.cancel(state, "second"))
    const late = listener()
    assert.deepStrictEqual(ticketsOf(core.listen(state, late)), [late])
    assert.deepStrictEqual(late.result, { why: "cancel", reason: "first" })
    assert.deepStrictEqual(ticketsOf(core.outside(state, "third")), [body], "whom cancel had spared")
    assert.deepStrictEqual(body.result, { why: "cancel", reason: "first" })
    core.outside(state, "fourth")
    core.end(state, task, "cancelled")
    core.end(state, body, "cancelled")
    assert.deepStrictEqual(core.claim(state, true)!.outside, { reason: "third" })

    const ended = make()
    core.end(ended.state, ended.body, "done")
    assert.isUndefined(core.cancel(ended.state, "late"))
    assert.isUndefined(core.outside(ended.state, "late"))
    assert.isUndefined(core.listen(ended.state, listener()))
    core.check(ended.state)
    assert.deepStrictEqual(core.claim(ended.state, true), {
      error: undefined,
      failed: false,
      fatal: false,
      cause: undefined,
      outside: undefined
    })
  })

  it("who only listens is forgotten when the group ends well", () => {
    const { body, state } = make()
    core.listen(state, new TestTicket<undefined, core.Stop>(undefined, 0))
    core.end(state, body, "done")
    core.check(state)
    assert.strictEqual(state.listening.size, 0)
  })

  it("a body that was cancelled ends the group, and a task that was does not", () => {
    const { body, start, state } = make()
    const [a, b] = [start(), start()]
    assert.isUndefined(core.end(state, a, "cancelled"))
    assert.strictEqual(core.status(state), "open")
    assert.deepStrictEqual(ticketsOf(core.end(state, body, "cancelled")), [b])
    assert.deepStrictEqual(b.result, { why: "cancel", reason: undefined })
  })

  it("the account of a failure is kept when there is one error, or one who failed; a defect among them is known", () => {
    const outcome = (...failures: ReadonlyArray<core.Failure>) => {
      const { start, state, body } = make()
      const tasks = failures.map(() => start())
      failures.forEach((failure, i) => core.end(state, tasks[i]!, failure))
      core.end(state, body, "done")
      return core.claim(state, false)!
    }
    const one = failure("a")
    const two = failure("a", "b")
    const shared = new Error("shared")
    assert.strictEqual(outcome(one).cause, one.cause)
    assert.strictEqual(outcome(two).cause, two.cause)
    const same = failure(shared)
    assert.strictEqual(outcome(same, failure(shared)).cause, same.cause)
    assert.isUndefined(outcome(one, two).cause)
    assert.deepStrictEqual(
      [outcome(one, one).fatal, outcome(one, { ...one, fatal: true }).fatal, outcome(one).failed],
      [false, true, true]
    )
  })

  it("names at most twenty of those who failed, in one of many and in one alone", () => {
    const message = (n: number, outside = false) => {
      const { start, state, body } = make()
      const tasks = Array.from({ length: n }, (_, i) => start(`t${i}`))
      if (outside) core.outside(state, "enough")
      tasks.forEach((task, i) => core.end(state, task, failure(i)))
      core.end(state, body, "done")
      return (core.claim(state, true)!.error as Error).message
    }
    assert.strictEqual(message(2), "2 tasks of the group failed: t0, t1")
    assert.strictEqual(message(1, true), "1 task of the group failed: t0")
    assert.isTrue(message(20).endsWith(", t18, t19"))
    assert.isTrue(message(21).endsWith(", t19, and 1 more"))
  })

  it("says whom it refused, and why", () => {
    const { body, start, state } = make()
    const task = start()
    core.cancel(state, undefined)
    const refusal = (name?: string) => core.enter(state, name) as core.TaskGroupClosed
    assert.strictEqual(refusal("late").message, 'the task "late" was not started: the group is stopping')
    assert.strictEqual(refusal().message, "the task was not started: the group is stopping")
    core.end(state, task, "cancelled")
    core.end(state, body, "done")
    const { message, name, status, task: late, _tag } = refusal("late")
    assert.deepStrictEqual(
      [message, name, status, late, _tag],
      ['the task "late" was not started: the group has ended', "TaskGroupClosed", "closed", "late", "TaskGroupClosed"]
    )
    const error = new core.TaskGroupError([])
    assert.deepStrictEqual([error.name, error._tag], ["TaskGroupError", "TaskGroupError"])
  })

  it("a refusal is known for the group's own", () => {
    const { body, state } = make()
    const other = make().state
    core.end(state, body, "done")
    const refusal = core.enter(state, "late")
    assert.instanceOf(refusal, core.TaskGroupClosed)
    assert.deepStrictEqual(
      [refusal, {}, null, "text"].map((error) => [core.isRefusal(state, error), core.isRefusal(other, error)]),
      [[true, false], [false, false], [false, false], [false, false]] // prettier-ignore
    )
  })

  it("the check finds what is wrong", () => {
    const open = make().state
    open.failures.push({ name: "a", order: 1, errors: [1], fatal: false })
    assert.throws(() => core.check(open), /^I1/)
    const untold = make()
    untold.start()
    untold.state.stop = { why: "cancel", reason: undefined }
    assert.throws(() => core.check(untold.state), /^I2: a task was not told to stop, or too early/)
    const early = make()
    early.start().settled = true
    assert.throws(() => core.check(early.state), /^I2: a task was not told to stop, or too early/)
    const deaf = make().state
    core.listen(deaf, new TestTicket<undefined, core.Stop>(undefined, 0))
    deaf.stop = { why: "cancel", reason: undefined }
    assert.throws(() => core.check(deaf), /^I2: 1 were not told to stop/)
    const asked = make().state
    asked.outside = { reason: "enough" }
    assert.throws(() => core.check(asked), /^I1/)
    const told = make()
    told.body.settled = true
    assert.throws(() => core.check(told.state), /^I2: the body/)
    const waiting = make()
    waiting.state.members.waiting.size = 1
    assert.throws(() => core.check(waiting.state), /^I1: size 1/)
    const listening = make()
    listening.state.listening.size = 1
    assert.throws(() => core.check(listening.state), /^I1: size 1/)
    const spared = make()
    core.cancel(spared.state, undefined)
    core.check(spared.state)
    const body = make().state
    body.stop = { why: "outside", reason: undefined }
    assert.throws(() => core.check(body), /^I2/)
  })
})
