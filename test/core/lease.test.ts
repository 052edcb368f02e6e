import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/lease.js"

class Lease extends core.Lease {
  fire(): void {}
}

const duration = 1000

const make = (sentAt = 0): Lease => new Lease("a", 7, duration, sentAt)

/** 1 % and 2 ms before the store's own end, if it had counted from the sending. */
const deadline = 1000 - 12

describe("a lease", () => {
  it("is held until its deadline, which counts from when its request was sent, less the margin (I2, I4)", () => {
    const lease = make(100)
    assert.strictEqual(lease.deadline, 100 + deadline)
    assert.isUndefined(core.look(lease, 100 + deadline - 1e-6))
    assert.strictEqual(core.remaining(lease, 100 + deadline - 5), 5)
    const loss = core.look(lease, 100 + deadline)
    assert.instanceOf(loss, core.LeaseLost)
    assert.deepInclude(loss, { _tag: "LeaseLost", resource: "a", token: 7, reason: "expired" })
    assert.strictEqual(core.remaining(lease, 0), 0)
    core.check(lease)
  })

  it("is lost once: the loss is given in the step that finds it, and stays (I1)", () => {
    const lease = make()
    const loss = core.look(lease, deadline)
    assert.isDefined(loss)
    assert.isUndefined(core.look(lease, deadline))
    assert.isUndefined(core.due(lease, deadline))
    assert.isUndefined(core.refused(lease))
    assert.strictEqual(lease.loss, loss)
    core.ending(lease)
    core.ended(lease)
    assert.strictEqual(lease.status, "lost")
    core.check(lease)
  })

  it("is renewed when a third of it has passed, and while it is held every third (I3)", () => {
    const lease = make()
    assert.strictEqual(core.wakeAt(lease), duration / 3)
    assert.isUndefined(core.due(lease, duration / 3 - 1e-6))
    assert.strictEqual(core.due(lease, duration / 3), "renew")
    core.check(lease)
    // In flight: there is only the deadline to wake for.
    assert.strictEqual(core.wakeAt(lease), deadline)
    assert.isUndefined(core.due(lease, 500))
    assert.isUndefined(core.renewed(lease, true, 600))
    assert.strictEqual(lease.deadline, duration / 3 + deadline)
    assert.strictEqual(core.wakeAt(lease), (2 * duration) / 3)
    core.check(lease)
  })

  it("that was renewed by a request that was sent late is no longer held than that allows (I2)", () => {
    const lease = make()
    assert.strictEqual(core.due(lease, 900), "renew")
    core.renewed(lease, true, 950)
    assert.strictEqual(lease.deadline, 900 + deadline)
    // Its next renewal is due a third after the sending of the last.
    assert.strictEqual(core.wakeAt(lease), 900 + duration / 3)
  })

  it("is lost when the store says that it does not know it", () => {
    const lease = make()
    core.due(lease, 400)
    assert.deepInclude(core.renewed(lease, false, 410), { reason: "unknown to the store" })
    core.check(lease)
  })

  it("is lost when the answer comes after its deadline, whatever that says (I4)", () => {
    const lease = make()
    core.due(lease, 400)
    assert.deepInclude(core.renewed(lease, true, deadline), { reason: "expired" })
    core.check(lease)
  })

  it("whose renewal fails is tried again a tenth later, or a little less, until the deadline", () => {
    const lease = make()
    core.due(lease, 400)
    assert.isUndefined(core.failed(lease, 500, 0))
    assert.strictEqual(core.wakeAt(lease), 550)
    assert.strictEqual(core.due(lease, 550), "renew")
    core.failed(lease, 600, 1)
    assert.strictEqual(core.wakeAt(lease), 700)
    assert.strictEqual(core.due(lease, 700), "renew")
    assert.deepInclude(core.failed(lease, deadline, 0), { reason: "expired" })
    core.check(lease)
  })

  it("that is being given back is not renewed any more, and an answer that is still on its way changes nothing (I1)", () => {
    const lease = make()
    core.due(lease, 400)
    core.ending(lease)
    assert.strictEqual(core.wakeAt(lease), Infinity)
    assert.isUndefined(core.renewed(lease, true, 450))
    assert.isUndefined(core.failed(lease, 450, 0))
    assert.strictEqual(core.wakeAt(lease), Infinity)
    assert.strictEqual(core.remaining(lease, 450), 0)
    core.ended(lease)
    assert.strictEqual(lease.status, "over")
    assert.isUndefined(core.refused(lease))
    assert.isUndefined(core.look(lease, 5000))
    core.check(lease)
  })

  it("that the store does not know when it is given back was lost before", () => {
    const lease = make()
    core.ending(lease)
    assert.deepInclude(core.refused(lease), { reason: "unknown to the store" })
    core.ended(lease)
    assert.strictEqual(lease.status, "lost")
    core.check(lease)
  })

  it("says what was lost, and why", () => {
    assert.strictEqual(
      new core.LeaseLost("orders", 5, "expired").message,
      `the lease of "orders" with the token 5 is lost: it was not renewed in time`
    )
  })

  it("lasts from 100 ms to a day, in whole milliseconds", () => {
    assert.strictEqual(core.checkDuration("f", 100), 100)
    assert.strictEqual(core.checkDuration("f", 100.9), 100)
    assert.strictEqual(core.checkDuration("f", 86_400_000), 86_400_000)
    for (const bad of [99.9, 86_400_001, 0, -1, NaN, Infinity])
      assert.throws(() => core.checkDuration("f", bad), RangeError)
    assert.throws(() => core.checkDuration("f", "1" as never), TypeError)
    assert.throws(() => core.checkDuration("f", 50), /f: lease must be from 100 ms to a day .*, got 50/)
  })

  it("whatever is slow or fails, the holder never relies on it when the store does not, and finds that out (I1 to I4)", () => {
    /** How long a request takes to get there, and its answer back; whether either is lost. */
    const trip = fc.record({
      there: fc.integer({ min: 0, max: 600 }),
      back: fc.integer({ min: 0, max: 600 }),
      fate: fc.constantFrom("arrives", "arrives", "arrives", "request lost", "answer lost")
    })
    fc.assert(
      fc.property(
        fc.array(trip, { minLength: 1, maxLength: 30 }),
        fc.double({ min: 0.99, max: 1.01, noNaN: true }),
        (trips, rate) => {
          // The store's clock runs at another rate than the holder's. All times are the holder's.
          const storeLease = duration / rate
          const [first, ...rest] = trips as [(typeof trips)[0], ...typeof trips]
          let now = first.there + first.back
          /** When the lease ends in the store. */
          let ends = first.there + storeLease
          const lease = make(0)
          let next: { readonly at: number; readonly f: () => void } | undefined = undefined
          for (let steps = 0; steps < 200 && lease.status === "held"; steps++) {
            core.check(lease)
            if (core.look(lease, now) !== undefined) break
            assert.isBelow(now, ends, "it is relied on when the store has given it to somebody else")
            if (core.due(lease, now) === "renew") {
              const { back, fate, there } = rest.shift() ?? { there: 1e9, back: 0, fate: "request lost" as const }
              const sentAt = now
              const held = fate === "request lost" || sentAt + there < ends
              const arrives = fate === "request lost" ? Infinity : sentAt + there
              if (held && arrives < Infinity) ends = Math.max(ends, arrives + storeLease)
              next =
                fate === "arrives"
                  ? { at: arrives + back, f: () => void core.renewed(lease, held, now) }
                  : { at: sentAt + 800, f: () => void core.failed(lease, now, 0.5) }
            }
            const wakeAt = core.wakeAt(lease)
            now = Math.max(now, Math.min(wakeAt, next?.at ?? Infinity))
            if (next !== undefined && next.at <= now) {
              const { f } = next
              next = undefined
              f()
            }
          }
          core.look(lease, now)
          core.check(lease)
          assert.strictEqual(lease.status, "lost", "the renewals end, so it is lost in the end")
        }
      )
    )
  })
})
