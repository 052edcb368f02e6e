import { assert, describe, it } from "@effect/vitest"
import { BrokenBarrier } from "effect-concurrency/promise"
import * as fc from "effect/FastCheck"
import { type Attempt, type BarrierDriver, settle, type Skin } from "./skins.js"

/** How many microtasks a passing takes at most to reach whoever passes, in any skin; a cancellation is tried after each. */
const microtasks = 40

const states = (attempts: ReadonlyArray<Attempt<number>>) => attempts.map(({ state }) => state)
const values = (attempts: ReadonlyArray<Attempt<number>>) => attempts.map(({ value }) => value)
const isBroken = (attempt: Attempt<number>) => attempt.state === "failed" && attempt.error instanceof BrokenBarrier
const arrive = (barrier: BarrierDriver, n: number) => Array.from({ length: n }, () => barrier.wait())

export const barrierLaws = (skin: Skin) =>
  describe(`Barrier laws (${skin.name})`, () => {
    it("nobody passes before all have arrived; then all pass, and have different indices", async () => {
      const barrier = skin.barrier(5)
      const early = arrive(barrier, 4)
      await settle()
      assert.deepStrictEqual(states(early), ["waiting", "waiting", "waiting", "waiting"])
      const last = barrier.wait()
      await settle()
      assert.deepStrictEqual(values([...early, last]), [0, 1, 2, 3, 4])
    }) // asyncio: test_context_manager

    it("counts those who wait, up to the last, who does not", async () => {
      const barrier = skin.barrier(3)
      const counts: Array<number> = []
      const attempts: Array<Attempt<number>> = []
      for (let i = 0; i < 3; i++) {
        attempts.push(barrier.wait())
        await settle()
        counts.push(barrier.stats().waiting)
      }
      assert.deepStrictEqual(counts, [1, 2, 0])
      assert.isTrue(attempts.every(({ state }) => state === "done"))
      assert.isFalse(barrier.isBroken())
    }) // asyncio: test_filling_task_by_task

    it("a barrier for one passes at once", async () => {
      const barrier = skin.barrier(1)
      const attempt = barrier.wait()
      assert.strictEqual(barrier.stats().waiting, 0)
      await settle()
      assert.strictEqual(attempt.value, 0)
    }) // asyncio: test_filling_one_task

    it("a barrier for one passes again and again, with the same index", async () => {
      const barrier = skin.barrier(1)
      const first = barrier.wait()
      const second = barrier.wait()
      await settle()
      assert.deepStrictEqual(values([first, second]), [0, 0])
      assert.strictEqual(barrier.stats().waiting, 0)
    }) // asyncio: test_filling_one_task_twice

    it("the same parties meet round after round", async () => {
      const barrier = skin.barrier(3)
      for (let round = 0; round < 4; round++) {
        const early = arrive(barrier, 2)
        await settle()
        assert.deepStrictEqual(states(early), ["waiting", "waiting"])
        const attempts = [...early, barrier.wait()]
        await settle()
        assert.deepStrictEqual(states(attempts), ["done", "done", "done"])
        assert.strictEqual(barrier.stats().waiting, 0)
      }
    }) // asyncio: test_filling_tasks_wait_twice

    it("each round gives the indices from 0 again", async () => {
      const barrier = skin.barrier(4)
      const rounds = [arrive(barrier, 4), arrive(barrier, 4)]
      await settle()
      for (const round of rounds) assert.deepStrictEqual(values(round), [0, 1, 2, 3])
    }) // asyncio: test_filling_tasks_check_return_value

    it("a newcomer arrives for the next round while the old one is being woken", async () => {
      const barrier = skin.barrier(2)
      const round = arrive(barrier, 2)
      const newcomer = barrier.wait()
      assert.strictEqual(barrier.stats().waiting, 1)
      await settle()
      assert.deepStrictEqual(values(round), [0, 1])
      assert.strictEqual(newcomer.state, "waiting")
    })

    it("those who return early from a round wait in the next: all but two of five arrive there, and three pass", async () => {
      // Deliberately different: no draining state, so nobody is blocked on the way in; they arrive.
      const first = skin.barrier(5)
      const second = skin.barrier(3)
      const round = arrive(first, 5)
      const early = arrive(first, 4)
      assert.strictEqual(first.stats().waiting, 4)
      const passed = arrive(second, 3)
      await settle()
      assert.deepStrictEqual(states(round), Array(5).fill("done"))
      assert.deepStrictEqual(states(early), Array(4).fill("waiting"))
      assert.deepStrictEqual(values(passed), [0, 1, 2])
    }) // asyncio: test_blocking_tasks_while_draining, test_draining_state

    describe("cancelled", () => {
      it("one who waits: it is not counted, another takes its place, and the barrier is whole", async () => {
        const barrier = skin.barrier(3)
        const [victim, other] = [barrier.wait(), barrier.wait()]
        await settle()
        victim.cancel()
        await settle()
        assert.strictEqual(victim.state, "cancelled")
        assert.strictEqual(barrier.stats().waiting, 1)
        const replacement = barrier.wait()
        await settle()
        assert.strictEqual(other.state, "waiting")
        assert.strictEqual(replacement.state, "waiting")
        const last = barrier.wait()
        await settle()
        assert.deepStrictEqual(values([replacement, other, last]), [0, 1, 2])
        assert.isFalse(barrier.isBroken())
      }) // asyncio: test_filling_tasks_cancel_one

      it("the lowest index that was given back is the next to be given", async () => {
        // asyncio gives an index twice here (gh-155233): the one of the last arrival.
        const barrier = skin.barrier(6)
        const attempts = arrive(barrier, 4)
        await settle()
        attempts[2]!.cancel()
        attempts[0]!.cancel()
        await settle()
        const late = arrive(barrier, 4)
        await settle()
        assert.strictEqual(attempts[1]!.value, 1)
        assert.strictEqual(attempts[3]!.value, 3)
        assert.deepStrictEqual(values(late), [0, 2, 4, 5])
      })

      it("whoever withdraws, and whenever: the indices of a round are all different", () =>
        fc.assert(
          fc.asyncProperty(
            fc.integer({ min: 1, max: 5 }),
            fc.array(fc.option(fc.nat({ max: 4 }), { freq: 3 }), { maxLength: 15 }),
            async (parties, commands) => {
              const barrier = skin.barrier(parties)
              let round: Array<Attempt<number>> = []
              const withdraw = async (at: number) => {
                round.splice(at, 1)[0]!.cancel()
                await settle()
              }
              const arriveOne = async () => {
                round.push(barrier.wait())
                if (round.length < parties) return
                await settle()
                const indices = values(round).sort((a, b) => a - b)
                assert.deepStrictEqual(indices, [...indices.keys()])
                round = []
              }
              for (const command of commands) {
                await (command === null || round.length === 0 ? arriveOne() : withdraw(command % round.length))
                assert.strictEqual(barrier.stats().waiting, round.length)
              }
              while (round.length > 0) await arriveOne()
            }
          ),
          { numRuns: 60 }
        ))

      it("one whose round is full: the others pass, and so does who comes next, in its own round", async () => {
        for (let delay = 0; delay < microtasks; delay++) {
          const barrier = skin.barrier(3)
          const [victim, other] = [barrier.wait(), barrier.wait()]
          await settle()
          const last = barrier.wait()
          const next = barrier.wait()
          for (let i = 0; i < delay; i++) await Promise.resolve()
          victim.cancel()
          await settle()
          const message = `cancelled after ${delay} microtasks`
          assert.include(["done", "cancelled"], victim.state, message)
          if (delay === 0) assert.strictEqual(victim.state, "cancelled")
          assert.deepStrictEqual(values([other, last]), [1, 2], message)
          assert.strictEqual(next.state, "waiting", message)
          assert.strictEqual(barrier.stats().waiting, 1, message)
          assert.isFalse(barrier.isBroken(), message)
          const rest = arrive(barrier, 2)
          await settle()
          assert.deepStrictEqual(values([next, ...rest]), [0, 1, 2], message)
        }
      })

      it("one who waits, and a reset in the same tick, in both orders: the next round is not touched", async () => {
        for (const cancelFirst of [true, false]) {
          const barrier = skin.barrier(2)
          const victim = barrier.wait()
          await settle()
          if (cancelFirst) victim.cancel()
          barrier.reset()
          const next = barrier.wait()
          if (!cancelFirst) victim.cancel()
          await settle()
          assert.notStrictEqual(victim.state, "waiting")
          assert.strictEqual(barrier.stats().waiting, 1)
          const last = barrier.wait()
          await settle()
          assert.deepStrictEqual(values([next, last]), [0, 1])
        }
      })

      it('one who waits, with onInterrupt "break": all others fail, until a reset', async () => {
        const barrier = skin.barrier(4, { onInterrupt: "break" })
        const [victim, ...others] = arrive(barrier, 3)
        await settle()
        victim!.cancel()
        await settle()
        assert.strictEqual(victim!.state, "cancelled")
        assert.isTrue(others.every(isBroken))
        assert.isTrue(barrier.isBroken())
        assert.strictEqual(barrier.stats().waiting, 0)
        const late = barrier.wait()
        await settle()
        assert.isTrue(isBroken(late))
        barrier.reset()
        assert.isFalse(barrier.isBroken())
        const again = arrive(barrier, 4)
        await settle()
        assert.deepStrictEqual(values(again), [0, 1, 2, 3])
      })

      it('one whose round is full, with onInterrupt "break": nothing breaks', async () => {
        for (let delay = 0; delay < microtasks; delay++) {
          const barrier = skin.barrier(2, { onInterrupt: "break" })
          const victim = barrier.wait()
          await settle()
          const last = barrier.wait()
          const next = barrier.wait()
          for (let i = 0; i < delay; i++) await Promise.resolve()
          victim.cancel()
          await settle()
          assert.strictEqual(last.value, 1)
          assert.isFalse(barrier.isBroken())
          assert.strictEqual(next.state, "waiting")
        }
      })
    })

    describe("reset", () => {
      it("of an idle barrier changes nothing", async () => {
        const barrier = skin.barrier(3)
        barrier.reset()
        assert.deepStrictEqual(barrier.stats(), { parties: 3, waiting: 0, isBroken: false })
        const attempts = arrive(barrier, 3)
        await settle()
        assert.deepStrictEqual(values(attempts), [0, 1, 2])
      }) // asyncio: test_reset_barrier

      it("fails all who wait, and the barrier is whole", async () => {
        const barrier = skin.barrier(4)
        const attempts = arrive(barrier, 3)
        await settle()
        barrier.reset()
        assert.deepStrictEqual(barrier.stats(), { parties: 4, waiting: 0, isBroken: false })
        await settle()
        assert.isTrue(attempts.every(isBroken))
      }) // asyncio: test_reset_barrier_while_tasks_waiting

      it("does not keep those whom it failed from meeting again", async () => {
        const barrier = skin.barrier(4)
        const failed = arrive(barrier, 3)
        await settle()
        barrier.reset()
        await settle()
        assert.isTrue(failed.every(isBroken))
        const again = arrive(barrier, 3)
        await settle()
        assert.deepStrictEqual(states(again), ["waiting", "waiting", "waiting"])
        const last = barrier.wait()
        await settle()
        assert.deepStrictEqual(values([...again, last]), [0, 1, 2, 3])
      }) // asyncio: test_reset_barrier_while_tasks_waiting_and_waiting_again

      it("starts the indices afresh, also those that were given back", async () => {
        const barrier = skin.barrier(3)
        const [first] = arrive(barrier, 2)
        await settle()
        first!.cancel()
        await settle()
        barrier.reset()
        const attempts = arrive(barrier, 3)
        await settle()
        assert.deepStrictEqual(values(attempts), [0, 1, 2])
      })

      it("does not reach those whose round was full: they pass, though they have not run yet", async () => {
        // Deliberately different: in asyncio those that have not left yet fail.
        const barrier = skin.barrier(4)
        const round = arrive(barrier, 4)
        barrier.reset()
        await settle()
        assert.deepStrictEqual(values(round), [0, 1, 2, 3])
        assert.isFalse(barrier.isBroken())
      }) // asyncio: test_reset_barrier_when_tasks_half_draining

      it("fails newcomers of the next round, and not those of the full one", async () => {
        // Deliberately different, both ways: in asyncio the full round fails, and newcomers, who have not arrived there yet, do not.
        const barrier = skin.barrier(4)
        const round = arrive(barrier, 4)
        const newcomers = arrive(barrier, 2)
        barrier.reset()
        await settle()
        assert.deepStrictEqual(values(round), [0, 1, 2, 3])
        assert.isTrue(newcomers.every(isBroken))
        assert.deepStrictEqual(barrier.stats(), { parties: 4, waiting: 0, isBroken: false })
      }) // asyncio: test_reset_barrier_when_tasks_half_draining_half_blocking

      it("after a round has passed does not hurt who arrives after it", async () => {
        const barrier = skin.barrier(3)
        const round = arrive(barrier, 3)
        barrier.reset()
        const next = arrive(barrier, 2)
        await settle()
        assert.deepStrictEqual(values(round), [0, 1, 2])
        assert.deepStrictEqual(states(next), ["waiting", "waiting"])
        const last = barrier.wait()
        await settle()
        assert.deepStrictEqual(values([...next, last]), [0, 1, 2])
      }) // asyncio: test_reset_barrier_while_tasks_draining
    })

    describe("abort", () => {
      it("of an idle barrier breaks it: nobody waits there", async () => {
        const barrier = skin.barrier(2)
        barrier.abort()
        assert.deepStrictEqual(barrier.stats(), { parties: 2, waiting: 0, isBroken: true })
        const attempt = barrier.wait()
        await settle()
        assert.isTrue(isBroken(attempt))
        assert.strictEqual(barrier.stats().waiting, 0)
      }) // asyncio: test_abort_barrier

      it("breaks a barrier for one as well", async () => {
        const barrier = skin.barrier(1)
        barrier.abort()
        const attempt = barrier.wait()
        await settle()
        assert.isTrue(isBroken(attempt))
      })

      it("fails who waits; what is full passes", async () => {
        // Deliberately different: in asyncio those of the full round that have not left yet fail as well.
        const barrier = skin.barrier(3)
        const round = arrive(barrier, 3)
        const newcomers = arrive(barrier, 2)
        barrier.abort()
        await settle()
        assert.deepStrictEqual(values(round), [0, 1, 2])
        assert.isTrue(newcomers.every(isBroken))
        assert.isTrue(barrier.isBroken())
      }) // asyncio: test_abort_barrier_when_tasks_half_draining_half_blocking

      it("by a party that cannot come fails all who wait for it", async () => {
        const barrier = skin.barrier(3)
        const round = arrive(barrier, 3)
        await settle()
        const others = arrive(barrier, 2)
        await settle()
        barrier.abort()
        await settle()
        assert.deepStrictEqual(values(round), [0, 1, 2])
        assert.isTrue(others.every(isBroken))
      }) // asyncio: test_abort_barrier_when_exception

      it("and then, after all have met elsewhere, a reset: all pass again", async () => {
        const barrier = skin.barrier(3)
        const elsewhere = skin.barrier(3)
        const others = arrive(barrier, 2)
        barrier.abort()
        await settle()
        assert.isTrue(others.every(isBroken))
        const meeting = arrive(elsewhere, 3)
        await settle()
        assert.deepStrictEqual(values(meeting), [0, 1, 2])
        barrier.reset()
        assert.isFalse(barrier.isBroken())
        const again = arrive(barrier, 3)
        await settle()
        assert.deepStrictEqual(values(again), [0, 1, 2])
      }) // asyncio: test_abort_barrier_when_exception_then_resetting

      it("twice is as good as once", async () => {
        const barrier = skin.barrier(2)
        barrier.abort()
        barrier.abort()
        assert.isTrue(barrier.isBroken())
        barrier.reset()
        assert.isFalse(barrier.isBroken())
      })
    })

    describe("action", () => {
      it("runs once a round, when all have arrived and before anybody passes", async () => {
        const log: Array<ReadonlyArray<string>> = []
        const attempts: Array<Attempt<number>> = []
        const barrier = skin.barrier(3, { action: () => void log.push(states(attempts)) })
        for (let round = 1; round <= 3; round++) {
          attempts.length = 0
          attempts.push(...arrive(barrier, 2))
          await settle()
          assert.strictEqual(log.length, round - 1)
          const last = barrier.wait()
          await settle()
          assert.strictEqual(log.length, round)
          assert.deepStrictEqual(log.at(-1), ["waiting", "waiting"])
          assert.deepStrictEqual(values([...attempts, last]), [0, 1, 2])
        }
      })

      it("runs for a barrier for one", async () => {
        let ran = 0
        const barrier = skin.barrier(1, { action: () => void ran++ })
        const attempts = arrive(barrier, 2)
        await settle()
        assert.deepStrictEqual(values(attempts), [0, 0])
        assert.strictEqual(ran, 2)
      })

      it("that throws is the last one's error, breaks the barrier for the others, and a reset mends it", async () => {
        const oops = new Error("oops")
        let bad = true
        const barrier = skin.barrier(3, {
          action: () => {
            if (bad) throw oops
          }
        })
        const others = arrive(barrier, 2)
        await settle()
        const last = barrier.wait()
        await settle()
        assert.strictEqual(last.error, oops)
        assert.isTrue(others.every(isBroken))
        assert.isTrue(barrier.isBroken())
        bad = false
        barrier.reset()
        const again = arrive(barrier, 3)
        await settle()
        assert.deepStrictEqual(values(again), [0, 1, 2])
      })

      it("that aborts its own barrier breaks its round, also for the last", async () => {
        const barrier: BarrierDriver = skin.barrier(2, { action: () => barrier.abort() })
        const attempts = arrive(barrier, 2)
        await settle()
        assert.isTrue(attempts.every(isBroken))
        assert.isTrue(barrier.isBroken())
      })

      it("that resets its own barrier breaks its round, and leaves the barrier whole", async () => {
        const barrier: BarrierDriver = skin.barrier(2, { action: () => barrier.reset() })
        const attempts = arrive(barrier, 2)
        await settle()
        assert.isTrue(attempts.every(isBroken))
        assert.deepStrictEqual(barrier.stats(), { parties: 2, waiting: 0, isBroken: false })
      })

      it("is not run by a round that does not fill", async () => {
        let ran = 0
        const barrier = skin.barrier(2, { action: () => void ran++ })
        const attempt = barrier.wait()
        await settle()
        attempt.cancel()
        await settle()
        const next = barrier.wait()
        await settle()
        barrier.reset()
        await settle()
        assert.isTrue(isBroken(next))
        assert.strictEqual(ran, 0)
      })
    })

    describe("refused", () => {
      for (const parties of [0, -4, 1.5, NaN, Infinity]) {
        it(`${parties} parties`, () => {
          assert.throws(
            () => skin.barrier(parties),
            RangeError,
            `${skin.maker("Barrier")}: parties must be an integer of at least 1, got ${parties}`
          )
        }) // asyncio: test_barrier_parties
      }

      it("an onInterrupt that there is not", () => {
        assert.throws(
          () => skin.barrier(2, { onInterrupt: "leave" as "break" }),
          `${skin.maker("Barrier")}: onInterrupt must be one of "withdraw", "break", got "leave"`
        )
      })
    })

    it("BrokenBarrier is an error with a tag, whichever skin it came through", async () => {
      const barrier = skin.barrier(3)
      const attempts = arrive(barrier, 2)
      barrier.abort()
      await settle()
      for (const { error } of attempts) {
        assert.instanceOf(error, BrokenBarrier)
        assert.instanceOf(error, Error)
        assert.strictEqual((error as BrokenBarrier)._tag, "BrokenBarrier")
      }
    })

    it("stats are a frozen snapshot", async () => {
      const barrier = skin.barrier(2)
      const before = barrier.stats()
      const attempt = barrier.wait()
      await settle()
      assert.isFrozen(before)
      assert.deepStrictEqual(before, { parties: 2, waiting: 0, isBroken: false })
      assert.deepStrictEqual(barrier.stats(), { parties: 2, waiting: 1, isBroken: false })
      attempt.cancel()
      await settle()
      assert.deepStrictEqual(barrier.stats(), before)
    })
  })
