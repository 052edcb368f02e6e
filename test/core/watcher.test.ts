import { assert, describe, it } from "@effect/vitest"
import { type Port, Watcher } from "../../src/core/watcher.js"

/** One watch, as the store was asked for it. */
interface Watch {
  readonly name: string
  readonly changed: () => void
  readonly watching: () => void
  readonly fail: (failure: unknown) => void
  ended: number
}

const setup = (poll = 1000) => {
  const watches: Array<Watch> = []
  const reports: Array<unknown> = []
  const heard = { changes: 0 }
  const port: Port = {
    watch: (name, changed, watching, fail) => {
      const watch: Watch = { name, changed, watching, fail, ended: 0 }
      watches.push(watch)
      return () => void watch.ended++
    },
    report: (...told) => void reports.push(told)
  }
  const watcher = new Watcher(port, "a", "event:a", () => void heard.changes++, poll)
  return { watcher, watches, reports, heard }
}

describe("a watcher", () => {
  it("watches once, however many go to sleep, under the name that the store knows", () => {
    const { watcher, watches } = setup()
    watcher.start()
    watcher.start()
    assert.deepStrictEqual(
      watches.map(({ name }) => name),
      ["event:a"]
    )
  })

  it("passes on each change; and its own beginning, for one may have been missed before", () => {
    const { heard, watcher, watches } = setup()
    watcher.start()
    assert.strictEqual(heard.changes, 0)
    watches[0]!.watching()
    assert.strictEqual(heard.changes, 1)
    watches[0]!.changed()
    watches[0]!.changed()
    assert.strictEqual(heard.changes, 3)
  })

  it("ends its watch once nobody waits, and begins another when somebody does: the store keeps no watch for nobody", () => {
    const { watcher, watches } = setup()
    watcher.end()
    watcher.start()
    watcher.end()
    watcher.end()
    assert.strictEqual(watches[0]!.ended, 1)
    watcher.start()
    assert.strictEqual(watches.length, 2)
    assert.strictEqual(watches[1]!.ended, 0)
  })

  it("what a watch says that was ended disturbs neither those who wait nor the one that came after it", () => {
    const { heard, reports, watcher, watches } = setup()
    watcher.start()
    watcher.end()
    const sayAll = () => {
      watches[0]!.changed()
      watches[0]!.watching()
      watches[0]!.fail("down")
    }
    sayAll()
    watcher.start()
    sayAll()
    assert.deepStrictEqual([heard.changes, reports], [0, []])
    // The one that counts is still there.
    watcher.start()
    assert.strictEqual(watches.length, 2)
    watches[1]!.changed()
    assert.strictEqual(heard.changes, 1)
  })

  it("that there is none is told once, with what failed, and tried again by whoever sleeps next", () => {
    const { heard, reports, watcher, watches } = setup(33.4)
    watcher.start()
    watches[0]!.fail("down")
    assert.deepStrictEqual(reports, [
      ["a", "the store does not tell of changes: it is asked every 33 ms instead", { failure: "down" }]
    ])
    watcher.start()
    watches[1]!.fail("still down")
    watcher.start()
    assert.deepStrictEqual([watches.length, reports.length, heard.changes], [3, 1, 0])
    // One that failed has ended by itself.
    assert.strictEqual(watches[0]!.ended, 0)
  })

  it("that there is none again, after there was one, is told again", () => {
    const { reports, watcher, watches } = setup()
    watcher.start()
    watches[0]!.fail("down")
    watcher.start()
    watches[1]!.watching()
    watches[1]!.fail("down again")
    assert.strictEqual(reports.length, 2)
  })
})
