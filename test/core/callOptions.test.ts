import { assert, describe, it } from "@effect/vitest"
import * as core from "../../src/core/callOptions.js"
import type { Settings } from "../../src/core/executorSettings.js"
import { make, withCodec } from "../../src/core/workerModule.js"

interface Hashing {
  readonly sha256: (text: string) => string
}
class Broken extends Error {}

const settings = { timeout: 7 } as Settings
const { sha256 } = make<Hashing, Broken>("here", "file:///hashing.js", { errors: [Broken] })
const codec = { encode: (args: ReadonlyArray<unknown>) => args.map(String), success: () => 1, failure: () => 2 }

const lone = (f: any, options: core.CallOptions = {}) => core.lone("here", settings, options, f, [1])
const source = (f: any) => lone(f).target[1]

describe("what is said of a job", () => {
  it("is taken as it is when it makes sense", () => {
    for (const options of [{}, { timeout: 0.1, priority: -1, transfer: [], context: 1 }, { timeout: Infinity }])
      assert.strictEqual(core.check("here", options), options)
  })

  it("is refused otherwise: with what, and what would be right", () => {
    const refused = (options: any, message: string) => assert.throws(() => core.check("here", options), message)
    refused(null, "here: options must be an object, got null")
    refused({ timeout: 0 }, "here: timeout must be more than 0 milliseconds, got 0")
    refused({ timeout: NaN }, "here: timeout must be 0 or more milliseconds, got NaN")
    refused({ priority: NaN }, "here: priority must be a number, got NaN")
    refused({ transfer: 1 }, "here: transfer must be an array of what is to be moved, got 1")
  })

  it("later counts more, unless it says nothing", () => {
    const merged = core.merge<core.CallOptions>(
      { timeout: 1, priority: 2, context: "a" },
      { timeout: 3, priority: undefined, context: null }
    )
    assert.deepStrictEqual(merged, { timeout: 3, priority: 2, context: null })
  })
})

describe("a job", () => {
  it("of a function of a module: where it is, what it is given, and its errors", () => {
    const transfer = [new ArrayBuffer(1)]
    assert.deepStrictEqual(core.work("here", settings, { context: "c", transfer }, sha256, ["a"]), {
      name: "sha256",
      target: ["file:///hashing.js", "sha256", ["a"]],
      context: "c",
      transfer,
      timeout: 7,
      errors: [Broken],
      codec: undefined
    })
  })

  it("has its own time when that is said, and otherwise that of the pool", () => {
    assert.strictEqual(core.work("here", settings, { timeout: 3 }, sha256, []).timeout, 3)
    assert.strictEqual(core.work("here", settings, { timeout: undefined }, sha256, []).timeout, 7)
  })

  it("with a contract is decoded by it", () => {
    assert.strictEqual(core.work("here", settings, {}, withCodec(sha256, codec), ["a"]).codec, codec)
  })

  it("refuses what is no function of a module", () => {
    assert.throws(
      () => core.work("here", settings, {}, (() => 1) as any, []),
      /^here: call must be a function of a module, as of module\(…\)\.name, got /
    )
  })
})

describe("a call that is made later", () => {
  it("has the arguments as its contract says, and cannot be changed", () => {
    const call = withCodec(sha256, codec)
    const bound = core.bind("here", call, [1])
    assert.deepStrictEqual([bound.call, bound.args], [call, ["1"]])
    assert.isFrozen(bound)
  })

  it("refuses what is no function of a module, by the name of who binds", () => {
    assert.throws(() => core.bind("here", {} as any, []), /^here: call must be a function of a module/)
  })
})

describe("what each worker is told before its first job", () => {
  it("is what it is given, and what it calls", () => {
    assert.deepStrictEqual(core.hello("here", {}), { data: undefined, init: undefined })
    const told = core.hello("here", { data: { url: "db" }, init: core.bind("here", sha256, ["a"]) })
    assert.deepStrictEqual(told, { data: { url: "db" }, init: ["file:///hashing.js", "sha256", ["a"]] })
  })

  it("is refused where the pool is made, and not by each worker, when it cannot be cloned", () => {
    assert.throws(
      () => core.hello("here", { data: { f: () => 1 } }),
      /^here: data must be something that can be cloned \(data\.f is a function\), got /
    )
    assert.throws(
      () => core.hello("here", { init: { call: sha256, args: [() => 1] } }),
      /^here: init must be a function with arguments that can be cloned \(init\.args\[0\] is a function\), got /
    )
  })

  it("a call without arguments that is no bound one is refused, whatever it is", () => {
    for (const init of [null, 1, {}, sha256, () => 1, Object.assign(() => 1, { args: [] })] as ReadonlyArray<any>)
      assert.throws(
        () => core.hello("here", { init }),
        /^here: init must be a function with its arguments, as of bind\(call, \.\.\.args\), got /
      )
    assert.throws(
      () => core.hello("here", { init: { call: {}, args: [] } as any }),
      /^here: call must be a function of a module/
    )
  })
})

describe("a function that stands alone", () => {
  it("is a job by its source, under its name, or that of who was called with it", () => {
    function double(n: number) {
      return 2 * n
    }
    const { errors, name, target, timeout } = lone(double)
    assert.deepStrictEqual([name, timeout, errors, target[0], target[2]], ["double", 7, [], undefined, [1]])
    assert.strictEqual(target[1], double.toString())
    assert.strictEqual(
      lone(
        (
          () => () =>
            1
        )()
      ).name,
      "here"
    )
    assert.strictEqual(lone(double, { context: "c" }).context, "c")
    assert.strictEqual(lone(double).target[1], double.toString(), "also the second time")
  })

  const run = (f: any, ...args: ReadonlyArray<unknown>) =>
    new Function(`"use strict"; return (${source(f)})`)()(...args)

  it("is one there again, in whichever form it was written", () => {
    const methods = {
      double(n: number) {
        return Number("widget of".length > 0) + 2 * n - 1
      },
      get(n: number) {
        return n
      },
      set (n: number) {
        return -n
      },
      ["the superb one"](n: number) {
        return n + 1
      }
    } // prettier-ignore
    assert.strictEqual(run(methods.double, 4), 8)
    assert.strictEqual(run(methods.get, 4), 4)
    assert.strictEqual(run(methods.set, 4), -4)
    assert.strictEqual(run(methods["the superb one"], 4), 5)
    assert.strictEqual(
      run((n: number) => n + 3, 4),
      7
    )
    assert.strictEqual(
      run(() => "{ [native code] }".length),
      17
    )
    assert.strictEqual(
      run((_class: number) => _class, 4),
      4
    )
  })

  it("that has none is refused here, and not by a worker that cannot read it", () => {
    const told = /^here: f must be a function with a source, neither built in nor bound, got /
    for (const f of [Math.max, Math.max.bind(Math), Array.prototype.map]) assert.throws(() => lone(f), TypeError, told)
    assert.throws(() => lone(Broken), TypeError, /^here: f must be a function, and no class, got /)
    assert.throws(() => lone("f"), TypeError, /^here: f must be a function, got "f"$/)
  })

  it("that is part of an object which it would miss there is refused", () => {
    const told = /^here: f must be a function that can stand alone: no getter, setter, or method that uses super, got /
    const accessors = Object.getOwnPropertyDescriptor({ get x() { return 1 }, set x(_: number) {} }, "x")! // prettier-ignore
    const child = {
      text() {
        return super.toString()
      }
    }
    for (const f of [accessors.get, accessors.set, child.text]) assert.throws(() => lone(f), TypeError, told)
  })
})
