/**
 * What a store of leases has to do, wherever it keeps them: run for the store in memory, and for any other. One on a clock that cannot be moved by
 * hand waits in `advance`, and has a `slack`.
 */
import { assert, describe, it } from "@effect/vitest"
import type { LeaseAnswer, LeaseRequest, LeaseStore } from "effect-concurrency/promise/distributed"

export interface OpenStore {
  readonly store: LeaseStore
  /** Lets so many milliseconds pass, and no fewer. */
  advance(milliseconds: number): Promise<void>
  close(): Promise<void>
}

export interface StoreSkin {
  readonly name: string
  /** A store with nothing in it. */
  open(): Promise<OpenStore>
  /** How many milliseconds a few calls, or `advance`, may take longer than they should. Default 0. */
  readonly slack?: number
}

export const leaseStoreLaws = ({ name: skin, open, slack = 0 }: StoreSkin): void => {
  /** Long enough that the slack is a small part of it. */
  const lease = Math.max(200, 10 * slack)

  const withStore = async (
    body: (store: LeaseStore, advance: OpenStore["advance"]) => Promise<void>
  ): Promise<void> => {
    const { advance, close, store } = await open()
    try {
      await body(store, advance)
    } finally {
      await close()
    }
  }

  const ask = (holder: string, rest: Partial<LeaseRequest> = {}): LeaseRequest => ({
    name: "a",
    holder,
    permits: 1,
    limit: 1,
    lease,
    ...rest
  })

  const token = (answer: LeaseAnswer): number => {
    assert.strictEqual(answer.kind, "granted")
    return answer.kind === "granted" ? answer.token : NaN
  }

  const busy = (answer: LeaseAnswer): number => {
    assert.strictEqual(answer.kind, "busy")
    return answer.kind === "busy" ? answer.retryAfter : NaN
  }

  const holder = (id: string, name = "a") => ({ name, holder: id })

  describe(`lease store laws (${skin})`, () => {
    it("grants while there are permits, refuses the rest, takes nothing of it, and says when the earliest lease ends", () =>
      withStore(async (store) => {
        assert.deepInclude(await store.acquire(ask("one", { permits: 2, limit: 3 })), { kind: "granted", limit: 3 })
        const answer = await store.acquire(ask("two", { permits: 2, limit: 3 }))
        assert.strictEqual(answer.limit, 3)
        assert.isAtMost(busy(answer), lease)
        assert.isAtLeast(busy(answer), lease - slack)
        token(await store.acquire(ask("three", { limit: 3 })))
        busy(await store.acquire(ask("four", { limit: 3 })))
      }))

    it("tokens are safe integers and grow with every grant, also when others were given back in between", () =>
      withStore(async (store) => {
        let latest = 0
        for (let i = 0; i < 20; i++) {
          const next = token(await store.acquire(ask(`${i}`)))
          assert.isTrue(Number.isSafeInteger(next))
          assert.isAbove(next, latest)
          latest = next
          await store.release(holder(`${i}`))
        }
        const both = [await store.acquire(ask("a", { limit: 2 })), await store.acquire(ask("b", { limit: 2 }))].map(
          token
        )
        assert.isAbove(both[0]!, latest)
        assert.isAbove(both[1]!, both[0]!)
      }))

    // With effect-distributed-lock 0.0.11, and redlock 5 (#369), such a request counts its own entry, and blocks itself.
    it("a request that is repeated (its answer was lost) is granted once: with the same token, and it does not block itself", () =>
      withStore(async (store, advance) => {
        const first = token(await store.acquire(ask("one")))
        await advance(lease / 2)
        assert.strictEqual(token(await store.acquire(ask("one"))), first)
        // The lease counts from the latest request.
        await advance(lease / 2 + slack)
        busy(await store.acquire(ask("two")))
        assert.deepInclude(await store.release(holder("one")), { held: true })
        token(await store.acquire(ask("two")))
      }))

    it("permits come back when the lease ends, and whoever comes again after retryAfter has them", () =>
      withStore(async (store, advance) => {
        token(await store.acquire(ask("one", { permits: 2, limit: 2 })))
        const retryAfter = busy(await store.acquire(ask("two", { limit: 2 })))
        if (retryAfter > slack + 2) {
          await advance(retryAfter - slack - 2)
          busy(await store.acquire(ask("two", { limit: 2 })))
          await advance(slack + 2)
        } else await advance(retryAfter)
        token(await store.acquire(ask("two", { limit: 2 })))
        token(await store.acquire(ask("three", { limit: 2 })))
      }))

    it("only what has ended comes back", () =>
      withStore(async (store, advance) => {
        token(await store.acquire(ask("one", { limit: 3 })))
        await advance(lease / 2)
        token(await store.acquire(ask("two", { permits: 2, limit: 3 })))
        await advance(lease / 2 + 1)
        busy(await store.acquire(ask("three", { permits: 2, limit: 3 })))
        token(await store.acquire(ask("three", { limit: 3 })))
        busy(await store.acquire(ask("four", { limit: 3 })))
      }))

    it("a renewed lease counts from then; one that has ended cannot be renewed, and one that nobody has cannot", () =>
      withStore(async (store, advance) => {
        token(await store.acquire(ask("one")))
        for (let i = 0; i < 3; i++) {
          await advance(lease / 2)
          assert.isTrue(await store.renew({ ...holder("one"), lease }))
          busy(await store.acquire(ask("two")))
        }
        await advance(lease)
        assert.isFalse(await store.renew({ ...holder("one"), lease }))
        assert.isFalse(await store.renew({ ...holder("two"), lease }))
        assert.isFalse(await store.renew({ ...holder("one", "b"), lease }))
        // That was not a way to take it.
        token(await store.acquire(ask("two")))
        assert.isFalse(await store.renew({ ...holder("one"), lease }))
      }))

    it("a lease can be renewed for longer, and for shorter", () =>
      withStore(async (store, advance) => {
        token(await store.acquire(ask("one")))
        assert.isTrue(await store.renew({ ...holder("one"), lease: 3 * lease }))
        await advance(2 * lease)
        busy(await store.acquire(ask("two")))
        assert.isTrue(await store.renew({ ...holder("one"), lease }))
        await advance(lease)
        token(await store.acquire(ask("two")))
      }))

    it("gives back what the holder has, once, and nothing of anybody else", () =>
      withStore(async (store) => {
        token(await store.acquire(ask("one")))
        assert.deepStrictEqual(await store.release(holder("two")), { held: false, watchers: 0 })
        busy(await store.acquire(ask("two")))
        assert.deepStrictEqual(await store.release(holder("one")), { held: true, watchers: 0 })
        assert.deepStrictEqual(await store.release(holder("one")), { held: false, watchers: 0 })
        token(await store.acquire(ask("two")))
        assert.deepStrictEqual(await store.release(holder("one")), { held: false, watchers: 0 })
        busy(await store.acquire(ask("three")))
      }))

    it("what is given back after its lease has ended was not held", () =>
      withStore(async (store, advance) => {
        token(await store.acquire(ask("one")))
        await advance(lease)
        assert.isFalse((await store.release(holder("one"))).held)
        token(await store.acquire(ask("two")))
        assert.isFalse((await store.release(holder("one"))).held)
        assert.isTrue(await store.renew({ ...holder("two"), lease }))
      }))

    it("the limit is that of those who hold permits; when nobody does, the next one says what it is", () =>
      withStore(async (store, advance) => {
        token(await store.acquire(ask("one", { limit: 2 })))
        // More than are left of the limit that counts.
        const refused = await store.acquire(ask("two", { permits: 2, limit: 5 }))
        assert.deepInclude(refused, { kind: "busy", limit: 2 })
        assert.deepInclude(await store.acquire(ask("two", { limit: 5 })), { kind: "granted", limit: 2 })
        assert.deepInclude(await store.acquire(ask("three", { limit: 5 })), { kind: "busy", limit: 2 })
        await store.release(holder("one"))
        await store.release(holder("two"))
        assert.deepInclude(await store.acquire(ask("three", { permits: 4, limit: 5 })), { kind: "granted", limit: 5 })
        // Also when it is by the end of a lease that nobody does.
        await advance(lease)
        assert.deepInclude(await store.acquire(ask("four", { limit: 1 })), { kind: "granted", limit: 1 })
      }))

    it("names have nothing to do with each other, whatever they are called", () =>
      withStore(async (store) => {
        for (const name of ["b", " ", "a:b", "{a}", "{", "}", "a}b", "a*", "__proto__", "ключ 🔑", "x".repeat(1000)]) {
          token(await store.acquire(ask("one", { name })))
          busy(await store.acquire(ask("two", { name })))
        }
        token(await store.acquire(ask("one", { name: "a" })))
      }))

    it("of those who ask at the same time, as many are granted as there are permits", () =>
      withStore(async (store) => {
        const answers = await Promise.all(
          Array.from({ length: 50 }, (_, i) => store.acquire(ask(`${i}`, { limit: 7 })))
        )
        const tokens = answers.flatMap((answer) => (answer.kind === "granted" ? [answer.token] : []))
        assert.strictEqual(tokens.length, 7)
        assert.strictEqual(new Set(tokens).size, 7)
      }))

    it("tells those who watch a name when something of it is given back, and whoever gives back how many there are", () =>
      withStore(async (store) => {
        const heard: Array<string> = []
        const until = async (count: number) => {
          for (let i = 0; heard.length < count && i < 200; i++) await new Promise((resolve) => setTimeout(resolve, 1))
          assert.strictEqual(heard.length, count)
        }
        const stops = [
          await store.watch("a", () => heard.push("one")),
          await store.watch("a", () => heard.push("two")),
          await store.watch("b", () => heard.push("other"))
        ]
        token(await store.acquire(ask("one")))
        assert.isAtLeast((await store.release(holder("one"))).watchers, 1)
        await until(2)
        assert.deepStrictEqual(heard.toSorted(), ["one", "two"])
        // Nothing is freed, nobody is told.
        await store.release(holder("one"))
        stops[0]!()
        token(await store.acquire(ask("one")))
        await store.release(holder("one"))
        await until(3)
        assert.strictEqual(heard[2], "two")
        stops[0]!()
        for (const stop of stops) stop()
        for (let i = 0; i < 200; i++) {
          token(await store.acquire(ask("one")))
          // The server may not have heard yet.
          if ((await store.release(holder("one"))).watchers === 0) break
          assert.isBelow(i, 199)
        }
        await new Promise((resolve) => setTimeout(resolve, slack))
        assert.isTrue(heard.slice(3).every((who) => who !== "one"))
      }))
  })
}
