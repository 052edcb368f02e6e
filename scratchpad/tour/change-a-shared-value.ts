/** How do I change shared state when the next value takes an await? `async with lock: state = await f(state)` */
import { Effect } from "effect"
import { Guarded } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I change shared state when the next value takes an await?", "async with lock: state = await f(state)")

const withEffect = Effect.gen(function* () {
  const accounts = yield* Guarded.make({ savings: 100, current: 0 })
  const transfer = (amount: number) =>
    accounts.updateEffect(({ current, savings }) =>
      savings < amount
        ? Effect.fail("not enough")
        : Effect.as(Effect.sleep(1), { savings: savings - amount, current: current + amount })
    )
  const results = yield* Effect.all([transfer(60), Effect.flip(transfer(60))], { concurrency: "unbounded" })
  return { refused: results[1], accounts: yield* accounts.get }
})
const { accounts, refused } = await Effect.runPromise(withEffect)
show("effect", `savings ${accounts.savings}, current ${accounts.current}; the second transfer: ${refused}`)

const counter = new Promises.Guarded(0)
await Promise.all(Array.from({ length: 10 }, () => counter.update(async (n) => (await Promise.resolve(n)) + 1)))
show("promise", `ten increments across an await: ${counter.get()}`)
