import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { JobTimeout, WorkerDied } from "../../src/core/job.js"
import * as core from "../../src/core/syncBridge.js"

class NotFound extends Error {}

const source = { href: "file:///x.js", errors: [NotFound] }
const make = (options: core.Options = {}) => core.make("here", source, options)
const call = (state: core.State, timeout?: number) => core.begin(state, "here", "f", [], timeout)

/** A bridge whose worker listens. */
const listening = (options?: core.Options) => {
  const state = make(options)
  const worker = core.start(state)
  core.ready(state, worker)
  return { state, worker }
}

describe("the core of a bridge", () => {
  it("I1 to I4 hold after any transitions", () => {
    const step = fc.constantFrom("begin", "answer", "stale", "expire", "died", "broken", "ready", "close")
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const state = make({ timeout: 10 })
        let worker: number | undefined
        let closed = false
        for (const step of steps) {
          const waiting = call(state)
          if (core.refuse(state, waiting)) {
            assert.isTrue(closed)
            continue
          }
          const before = state.worker
          if (step === "close") {
            assert.strictEqual(core.close(state), worker !== undefined)
            closed = true
            worker = undefined
          } else {
            if (worker === undefined) {
              worker = core.start(state)
              assert.strictEqual(worker, before + 1)
            }
            if (step === "ready") core.ready(state, worker)
            // I1: neither another call's answer, nor that of another worker.
            assert.isTrue(core.accept(state, worker, waiting, waiting.id))
            assert.isFalse(core.accept(state, worker, waiting, waiting.id - 1))
            assert.isFalse(core.accept(state, worker - 1, waiting, waiting.id))
            if (step === "stale") core.ready(state, worker - 1)
            if (step === "expire") core.expire(state, waiting)
            if (step === "died") assert.instanceOf(core.died(state, worker, waiting, "cause"), WorkerDied)
            if (step === "broken") core.broken(state, worker)
            if (step === "expire" || step === "died" || step === "broken") {
              // I2
              assert.isFalse(core.accept(state, worker, waiting, waiting.id))
              const { workersDied } = state
              core.died(state, worker, waiting, "once more")
              assert.deepStrictEqual([state.phase, state.workersDied], ["none", workersDied])
              worker = undefined
            }
          }
          core.check(state)
        }
      })
    )
  })

  it("I3 a bridge that is closed has no worker, and gets none", () => {
    const { state, worker } = listening()
    const waiting = call(state)
    assert.isTrue(core.close(state))
    assert.isFalse(core.close(state))
    core.ready(state, worker)
    assert.isFalse(core.accept(state, worker, waiting, waiting.id))
    const refused = core.refuse(state, call(state))
    assert.instanceOf(refused, core.BridgeClosed)
    assert.strictEqual(refused!.message, '"f" was not called: the bridge is closed')
  })

  it("without any time nothing begins, and the worker stays", () => {
    const { state, worker } = listening()
    assert.instanceOf(core.refuse(state, call(state, 0)), JobTimeout)
    assert.isUndefined(core.refuse(state, call(state, 0.5)))
    assert.deepStrictEqual(core.stats(state), { calls: 2, timedOut: 1, workers: worker, workersDied: 0 })
  })

  it("a function that ran too long is a JobTimeout; a worker that did not come to listen, a WorkerDied", () => {
    const ready = listening({ timeout: 5 })
    const late = core.expire(ready.state, call(ready.state))
    assert.instanceOf(late, JobTimeout)
    assert.strictEqual((late as JobTimeout).milliseconds, 5)
    const starting = make({ startTimeout: 7 })
    core.start(starting)
    const unable = core.expire(starting, call(starting)) as WorkerDied
    assert.instanceOf(unable, WorkerDied)
    assert.isFalse(unable.started)
    assert.match(unable.message, /could not be started for "f": it had not loaded file:\/\/\/x\.js after 7 ms/)
    assert.strictEqual(core.stats(starting).workersDied, 1)
  })

  it("a worker that is none any more was lost to a call that waits for it, and nothing else happens", () => {
    const { state, worker } = listening()
    const outer = call(state)
    core.expire(state, call(state))
    const next = core.start(state)
    const lost = core.died(state, worker, outer, new Error("given up"))!
    assert.deepStrictEqual([lost.started, lost.message], [true, 'the worker ended while it ran "f": given up'])
    assert.deepStrictEqual([state.phase, state.worker, state.workersDied], ["starting", next, 0])
    core.check(state)
  })

  it("a worker that has died between calls is nobody's failure", () => {
    const { state, worker } = listening()
    assert.isUndefined(core.died(state, worker, undefined, "cause"))
    assert.strictEqual(state.phase, "none")
    assert.strictEqual(core.start(state), worker + 1)
  })

  it("I4 a worker that is not accounted for is found", () => {
    const { state } = listening()
    core.check(state)
    state.phase = "none"
    assert.throws(() => core.check(state), /^I4: of 1 workers, 0 are accounted for$/)
    state.workersDied = 1
    core.check(state)
  })

  it("a worker that dies before it listens was not started for its call; what is not there any more dies unnoticed", () => {
    const state = make()
    const worker = core.start(state)
    const death = core.died(state, worker, call(state), new Error("no room"))!
    assert.deepStrictEqual(
      [death.started, death.job, death.message],
      [false, "f", 'the worker could not be started for "f": no room']
    )
    core.broken(state, worker)
    assert.strictEqual(core.stats(state).workersDied, 1)
    const other = core.start(state)
    core.broken(state, worker)
    core.ready(state, worker)
    assert.strictEqual(state.phase, "starting")
    core.broken(state, other)
    assert.deepStrictEqual([state.phase, core.stats(state).workersDied], ["none", 2])
    assert.isFalse(core.close(state))
  })

  it("has all the time there is, and half a minute to start, unless told otherwise", () => {
    const state = make()
    assert.deepStrictEqual([state.timeout, state.startTimeout, call(state).timeout], [Infinity, 30_000, Infinity])
    assert.strictEqual(call(make({ timeout: 5 })).timeout, 5)
    assert.strictEqual(call(make({ timeout: 5 }), 7).timeout, 7)
    assert.isTrue(Object.isFrozen(core.stats(state)))
  })

  it("its errors say what they are", () => {
    const work = new core.AsyncWork()
    assert.deepStrictEqual([work._tag, work.name], ["AsyncWork", "AsyncWork"])
    assert.match(
      work.message,
      /^the effect cannot end at once: it waits for something, and was interrupted\. Run it with/
    )
    assert.match(work.message, /put it into a module, and call that through SyncBridge\.make$/)
    const closed = new core.BridgeClosed("f")
    assert.deepStrictEqual([closed._tag, closed.name, closed.job], ["BridgeClosed", "BridgeClosed", "f"])
    assert.match(core.diedIdle, /while nothing was called/)
  })

  it("errors of the function's type are told from defects", () => {
    const { state } = listening()
    const kind = (_tag: "error" | "failure", error: unknown) => core.isFailure(state, { _tag, error })
    assert.isTrue(kind("failure", "anything"))
    assert.isTrue(kind("error", new NotFound()))
    assert.isFalse(kind("error", new Error()))
    assert.isFalse(core.isFailure(state, { _tag: "value", value: new NotFound() }))
    assert.strictEqual(core.valueOf({ _tag: "value", value: 1 }), 1)
    assert.throws(() => core.valueOf({ _tag: "error", error: new NotFound("x") }), NotFound)
  })

  it("of several classes, each is one that the function fails with; and what it gives is no failure", () => {
    const state = core.make("here", { ...source, errors: [RangeError, NotFound] }, {})
    for (const error of [new NotFound(), new RangeError()])
      assert.isTrue(core.isFailure(state, { _tag: "error", error }))
    assert.isFalse(core.isFailure(state, { _tag: "value", value: new NotFound(), error: new NotFound() } as never))
  })

  it("a worker that does not listen yet is given up by closing; where there is none, none is", () => {
    const state = make()
    assert.isFalse(core.close(state))
    const starting = make()
    core.start(starting)
    assert.isTrue(core.close(starting))
    assert.isTrue(core.close(listening().state))
  })

  it("a worker that dies while it runs a call has started it: whoever calls again may do it twice", () => {
    const { state, worker } = listening()
    const died = core.died(state, worker, call(state), new Error("crash"))!
    assert.deepStrictEqual([died.started, died.message], [true, 'the worker ended while it ran "f": crash'])
  })

  it("one of which nobody has asked anything has no worker", () => {
    assert.strictEqual(make().phase, "none")
  })

  it("reports say whose worker it was, and what was not possible", () => {
    assert.strictEqual(core.unended, "the worker of a bridge cannot be ended")
    assert.strictEqual(core.diedIdle, "the worker ended while nothing was called; the next call starts another")
  })

  it("takes the limits of a worker as they are", () => {
    const resourceLimits = { maxOldGenerationSizeMb: 64 }
    assert.strictEqual(make({ resourceLimits }).resourceLimits, resourceLimits)
  })

  it("a refusal names what is wrong, and what would be right", () => {
    const refused = (options: any, message: string) => assert.throws(() => make(options), message)
    refused({ timeout: -1 }, "here: timeout must be 0 or more milliseconds, got -1")
    refused({ startTimeout: -1 }, "here: startTimeout must be 0 or more milliseconds, got -1")
    refused({ resourceLimits: 1 }, "here: resourceLimits must be an object, got 1")
    refused({ resourceLimits: null }, "here: resourceLimits must be an object, got null")
    const state = make()
    assert.throws(() => core.begin(state, "here", 1 as any, []), "here: name must be the name of a function, got 1")
    assert.throws(() => call(state, -1), "here: timeout must be 0 or more milliseconds, got -1")
  })

  it("refuses what makes no sense", () => {
    const refused = (options: any) => assert.throws(() => make(options), /^here: /)
    for (const options of [null, 1, { timeout: -1 }, { timeout: NaN }, { startTimeout: "1" }, { resourceLimits: 1 }])
      refused(options)
    const state = make()
    assert.throws(() => core.begin(state, "here", 1 as any, []), TypeError, /^here: name must be/)
    assert.throws(() => core.begin(state, "here", "f", "args" as any), TypeError, /^here: args must be an array/)
    assert.throws(() => call(state, -1), RangeError)
    assert.strictEqual(core.stats(state).calls, 0)
  })
})
