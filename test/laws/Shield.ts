import { assert, describe, it, vi } from "@effect/vitest"
import { Cause, Effect } from "effect"
import * as Effects from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { withFakeTimers } from "../promise/waits.js"
import { gate } from "../utils/gate.js"
import { alternate, type Attempt, fork, settle, start } from "./skins.js"

type Work<A = unknown> = () => Promise<A>

export interface ShieldDriver {
  shield<A>(work: Work<A>, name?: string): Attempt<A>
  critical<A>(work: Work<A>, name?: string): Attempt<A>
  awaitEmpty(): Attempt<void>
  close(): Attempt<ReadonlyArray<string>>
  stats(): Effects.Shield.Stats
}

export interface Settings {
  readonly deadline?: number
  /** Never answers, when it was told of a failure. */
  readonly deaf?: boolean
  /** When whoever was told of a failure has answered. */
  readonly answered?: Promise<void>
}

export interface ShieldSkin {
  readonly name: string
  make(settings?: Settings, reports?: Array<string>): ShieldDriver
}

const asEffect = <A>(work: Work<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: work, catch: (error) => error })

const effectDriver = (self: Effects.Shield.Shield): ShieldDriver => ({
  shield: (work, name) => fork(self.shield(asEffect(work), { name })),
  critical: (work, name) => fork(self.critical(asEffect(work), { name })),
  awaitEmpty: () => fork(self.awaitEmpty),
  close: () => fork(self.close),
  stats: () => fork(self.stats).value
})

const promiseDriver = (self: Promises.Shield): ShieldDriver => ({
  shield: (work, name) => start((options) => self.shield(work, { ...options, name })),
  critical: (work, name) => start((options) => self.critical(work, { ...options, name })),
  awaitEmpty: () => start((options) => self.awaitEmpty(options)),
  close: () => start(() => self.close()),
  stats: () => self.stats()
})

const effectShield = ({ answered, deadline, deaf }: Settings, reports: Array<string>) =>
  Effects.Shield.makeUnsafe({
    deadline,
    onError: ({ cause, message, name }) =>
      Effect.zipRight(
        Effect.sync(() => reports.push(`${name}: ${Cause.isEmpty(cause) ? message : String(Cause.squash(cause))}`)),
        deaf ? Effect.never : Effect.promise(async () => answered)
      )
  })

export const shieldSkins: ReadonlyArray<ShieldSkin> = [
  { name: "effect", make: (settings = {}, reports = []) => effectDriver(effectShield(settings, reports)) },
  {
    name: "promise",
    make: ({ answered, deadline, deaf } = {}, reports = []) =>
      promiseDriver(
        new Promises.Shield({
          deadline,
          onError: ({ error, message, name }) => {
            reports.push(`${name}: ${error === undefined ? message : String(error)}`)
            return deaf ? new Promise(() => {}) : answered
          }
        })
      )
  },
  {
    name: "mixed",
    make: (settings = {}, reports = []) => {
      const shield = effectShield(settings, reports)
      return alternate(effectDriver(shield), promiseDriver(Promises.Shield.from(shield)))
    }
  }
]

const never = () => new Promise<never>(() => {})
const oops = new Error("oops")
const both = ["shield", "critical"] as const

export const shieldLaws = (skin: ShieldSkin) =>
  describe(`Shield laws (${skin.name})`, () => {
    it("gives what the work gives, and fails as it fails; a caller who is there has the error, and nobody else", async () => {
      const reports: Array<string> = []
      const shield = skin.make({}, reports)
      for (const operation of both) {
        const good = [shield[operation](async () => 5), shield[operation](async () => 6)]
        const bad = [shield[operation](() => Promise.reject(oops)), shield[operation](() => Promise.reject(oops))]
        await settle()
        assert.deepStrictEqual(
          good.map(({ value }) => value),
          [5, 6]
        )
        assert.isTrue(bad.every(({ error }) => error === oops))
      }
      assert.deepStrictEqual([reports, shield.stats()], [[], { running: 0, names: [], isClosed: false }])
    }) // asyncio: test_shield_result, test_shield_exception

    it("a caller who goes is gone at once, and the work goes on to its end", async () => {
      const shield = skin.make()
      const { open, opened } = gate()
      let ended = 0
      const callers = ["a", "b"].map((name) => shield.shield(() => opened.then(() => ended++), name))
      await settle()
      for (const caller of callers) caller.cancel()
      await settle()
      assert.deepStrictEqual(
        callers.map(({ state }) => state),
        ["cancelled", "cancelled"]
      )
      assert.deepStrictEqual(shield.stats(), { running: 2, names: ["a", "b"], isClosed: false })
      assert.isFrozen(shield.stats())
      open()
      await settle()
      assert.deepStrictEqual([ended, shield.stats().running], [2, 0])
    }) // asyncio: test_shield_cancel_outer

    it("a critical caller goes when the work has ended, and not before", async () => {
      const shield = skin.make()
      const { open, opened } = gate()
      const callers = [shield.critical(() => opened), shield.critical(() => opened)]
      await settle()
      for (const caller of callers) caller.cancel()
      await settle()
      assert.deepStrictEqual(
        callers.map(({ state }) => state),
        ["waiting", "waiting"]
      )
      open()
      await settle()
      assert.deepStrictEqual(
        callers.map(({ state }) => state),
        ["cancelled", "cancelled"]
      )
    })

    it("what fails when its caller has gone is reported, once, with its name", async () => {
      const reports: Array<string> = []
      const shield = skin.make({}, reports)
      const { open, opened } = gate()
      const fail = () => opened.then(() => Promise.reject(oops))
      const callers = [
        shield.shield(fail, "a"),
        shield.shield(fail, "b"),
        shield.critical(fail, "c"),
        shield.critical(fail, "d")
      ]
      await settle()
      for (const caller of callers) caller.cancel()
      await settle()
      open()
      await settle()
      assert.deepStrictEqual(reports.sort(), ["a: Error: oops", "b: Error: oops", "c: Error: oops", "d: Error: oops"])
      assert.isTrue(callers.every(({ state }) => state === "cancelled"))
      assert.strictEqual(shield.stats().running, 0)
    }) // asyncio: test_shield_cancel_outer_exception

    it("whoever goes and a failure in one tick: he has it, or it is reported, and not both", async () => {
      for (const operation of both) {
        for (const goesFirst of [true, false]) {
          for (let i = 0; i < 2; i++) {
            const reports: Array<string> = []
            const shield = skin.make({}, reports)
            const { open, opened } = gate()
            if (i > 0) shield.stats()
            const caller = shield[operation](() => opened.then(() => Promise.reject(oops)), "save")
            await settle()
            if (goesFirst) caller.cancel()
            open()
            if (!goesFirst) caller.cancel()
            await settle()
            assert.deepStrictEqual(
              [caller.state === "failed" ? 1 : 0, caller.state === "cancelled" ? 1 : 0],
              [1 - reports.length, reports.length]
            )
          }
        }
      }
    })

    // A closing was woken with the end of the work, and saw the failure come back: it was named as overdue, logged, and reported as well.
    it("whoever waits for its end waits until a failure is somebody's or reported, also when its caller goes in its tick", async () => {
      for (const operation of both) {
        for (const end of ["close", "awaitEmpty"] as const) {
          for (const [goesFirst, i] of [
            [true, 0],
            [true, 1],
            [false, 0],
            [false, 1]
          ] as const) {
            const reports: Array<string> = []
            const answer = gate()
            const { open, opened } = gate()
            const shield = skin.make({ answered: answer.opened }, reports)
            if (i > 0) shield.stats()
            const caller = shield[operation](() => opened.then(() => Promise.reject(oops)), "save")
            await settle()
            const waits: Attempt<unknown> = shield[end]()
            await settle()
            if (goesFirst) caller.cancel()
            open()
            if (!goesFirst) caller.cancel()
            await settle()
            const told = caller.state === "failed"
            assert.deepStrictEqual(
              [waits.state, reports, shield.stats().running],
              told ? ["done", [], 0] : ["waiting", ["save: Error: oops"], 1]
            )
            answer.open()
            await settle()
            assert.deepStrictEqual([waits.value, reports.length], [end === "close" ? [] : undefined, told ? 0 : 1])
          }
        }
      }
    })

    it("awaitEmpty waits for all, also for what comes meanwhile; who waits may give up, and nobody notices", async () => {
      const shield = skin.make()
      const gates = [gate(), gate()]
      const idle = shield.awaitEmpty()
      shield.shield(() => gates[0]!.opened)
      const [gone, stays, other] = [shield.awaitEmpty(), shield.awaitEmpty(), shield.awaitEmpty()]
      await settle()
      gone.cancel()
      shield.critical(() => gates[1]!.opened)
      gates[0]!.open()
      await settle()
      assert.deepStrictEqual(
        [idle, gone, stays, other].map(({ state }) => state),
        ["done", "cancelled", "waiting", "waiting"]
      )
      gates[1]!.open()
      await settle()
      assert.deepStrictEqual([stays.state, other.state], ["done", "done"])
    })

    it("close waits for the work, takes more while there is some, and nothing afterwards", async () => {
      const shield = skin.make()
      const gates = [gate(), gate()]
      const callers = [shield.shield(() => gates[0]!.opened)]
      const closes = [shield.close(), shield.close()]
      await settle()
      callers.push(shield.shield(() => gates[1]!.opened))
      gates[0]!.open()
      await settle()
      assert.deepStrictEqual([closes[0]!.state, shield.stats().isClosed], ["waiting", false])
      gates[1]!.open()
      await settle()
      assert.isTrue(callers.every(({ state }) => state === "done"))
      assert.deepStrictEqual([closes[0]!.value, closes[1]!.value, shield.stats().isClosed], [[], [], true])
      for (const operation of both) {
        for (const refused of [shield[operation](never, "late"), shield[operation](never, "late")]) {
          await settle()
          assert.instanceOf(refused.error, Promises.ShieldClosed)
          assert.strictEqual((refused.error as Error).message, 'the work "late" was not started: the shield is closed')
        }
      }
      assert.strictEqual(shield.stats().running, 0)
    })

    it("at the deadline it says what it leaves behind, once, however many close it; that goes on", () =>
      withFakeTimers(async () => {
        const reports: Array<string> = []
        const shield = skin.make({ deadline: 10 }, reports)
        const { open, opened } = gate()
        let ended = false
        shield.shield(() => opened.then(() => (ended = true)), "save")
        await settle()
        const closes = [shield.close(), shield.close(), shield.close()]
        await settle()
        await vi.advanceTimersByTimeAsync(9)
        await settle()
        assert.deepStrictEqual([closes[0]!.state, reports], ["waiting", []])
        await vi.advanceTimersByTimeAsync(1)
        await settle()
        assert.deepStrictEqual(
          closes.map(({ value }) => value),
          [["save"], ["save"], ["save"]]
        )
        assert.deepStrictEqual(reports, [
          "undefined: 1 piece of shielded work had not ended by the deadline, and was left behind: save"
        ])
        open()
        await settle()
        assert.deepStrictEqual([ended, shield.stats()], [true, { running: 0, names: [], isClosed: true }])
      }))

    it("a report that never ends does not keep it open: at the deadline the failure is named, and logged", () =>
      withFakeTimers(async () => {
        const console = vi.spyOn(globalThis.console, "error").mockImplementation(() => {})
        const log = vi.spyOn(globalThis.console, "log").mockImplementation(() => {})
        try {
          for (let i = 0; i < 2; i++) {
            const reports: Array<string> = []
            const shield = skin.make({ deadline: 10, deaf: true }, reports)
            if (i > 0) shield.stats()
            const { open, opened } = gate()
            const caller = shield.shield(() => opened.then(() => Promise.reject(oops)), "save")
            await settle()
            caller.cancel()
            open()
            await settle()
            shield.critical(never, "goes on")
            const close = shield.close()
            await settle()
            await vi.advanceTimersByTimeAsync(9)
            assert.deepStrictEqual([close.state, reports], ["waiting", ["save: Error: oops"]])
            await vi.advanceTimersByTimeAsync(1)
            await settle()
            assert.deepStrictEqual(close.value, ["save", "goes on"])
            assert.deepStrictEqual(shield.stats().names, ["goes on"])
            const lines = [...console.mock.calls, ...log.mock.calls]
              .map((args) => args.map(String).join(" "))
              .join("\n")
            assert.match(
              lines,
              /Shield: save: it failed after its caller had gone \(the report of this has not ended in time\)/
            )
            assert.include(lines, "oops")
            assert.match(lines, /Shield\.close: 1 piece of shielded work had not ended by the deadline.*: goes on/)
            assert.strictEqual(reports.length, 1, "who does not answer is not asked again")
            console.mockClear()
            log.mockClear()
          }
        } finally {
          console.mockRestore()
          log.mockRestore()
        }
      }))
  })
