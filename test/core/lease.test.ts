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

  it("that is being given back is not lost by a renewal that the store answers or fails after that", () => {
    const lease = make()
    core.due(lease, 400)
    core.ending(lease)
    assert.isUndefined(core.renewed(lease, false, 450))
    assert.strictEqual(lease.status, "ending")
    core.check(lease)
    assert.isUndefined(core.renewed(lease, true, 450))
    assert.strictEqual(lease.deadline, deadline)
    core.check(lease)
    core.failed(lease, 450, 0)
    core.check(lease)
  })

  it("is over at once for a holder who does not hear what became of the release", () => {
    const lease = make()
    core.end(lease)
    assert.strictEqual(lease.status, "over")
    core.check(lease)
  })

  it("tells of the loss when it would be renewed, or a renewal has failed, too late", () => {
    const lease = make()
    const loss = core.due(lease, deadline)
    assert.instanceOf(loss, core.LeaseLost)
    assert.strictEqual(lease.loss, loss)
    const other = make()
    core.due(other, 400)
    assert.strictEqual(core.failed(other, deadline, 0), other.loss)
    assert.strictEqual(other.loss?.reason, "expired")
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
    for (const [reason, why] of [
      ["expired", "it was not renewed in time"],
      ["taken", "somebody else has it"],
      ["unknown to the store", "the store does not know it"]
    ] as const)
      assert.strictEqual(
        String(new core.LeaseLost("orders", 5, reason)),
        `LeaseLost: the lease of "orders" with the token 5 is lost: ${why}`
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

  it("check finds what does not hold", () => {
    const broken = (change: Partial<Lease>) => () => core.check(Object.assign(make(), change))
    const loss = new core.LeaseLost("a", 7, "expired")
    const never = { renewAt: Infinity }
    const said = `LeaseLost: ${loss.message}`
    assert.throws(broken({ loss }), `I1: held, and the loss is ${said}`)
    assert.throws(broken({ status: "lost", ...never }), "I1: lost, and the loss is undefined")
    for (const status of ["ending", "over"] as const) {
      assert.doesNotThrow(broken({ status, ...never }))
      assert.throws(broken({ status }), `I1: ${status}, and renewed`)
      assert.throws(broken({ status, sentAt: 5, ...never }), `I1: ${status}, and renewed`)
    }
    assert.throws(broken(never), "I3: the next renewal is due at Infinity, and one was sent at undefined")
    assert.throws(broken({ renewAt: 5, sentAt: 4 }), "I3: the next renewal is due at 5, and one was sent at 4")
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
        fc.array(trip, { minLength: 1, maxLength: 30, size: "max" }),
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
