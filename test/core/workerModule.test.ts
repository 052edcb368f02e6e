import { assert, describe, it } from "@effect/vitest"
import * as core from "../../src/core/workerModule.js"

interface Hashing {
  readonly sha256: (text: string) => Promise<string>
  readonly then: () => string
}
class Broken extends Error {}

const make = (url: any = "file:///hashing.js", options?: any) => core.make<Hashing, never>("here", url, options)

describe("a handle of a module", () => {
  it("has a call for each name, the same one each time", () => {
    const hashing = make(new URL("file:///hashing.js"), { errors: [Broken] })
    const { sha256 } = hashing
    assert.strictEqual(sha256, hashing.sha256)
    assert.deepStrictEqual([sha256.href, sha256.name, sha256.errors], ["file:///hashing.js", "sha256", [Broken]])
    assert.isTrue(Object.isFrozen(sha256))
    assert.strictEqual(core.callOf("here", sha256), sha256)
    assert.deepStrictEqual(core.sourceOf("here", hashing), { href: "file:///hashing.js", errors: [Broken] })
  })

  it("can be awaited, for it has no `then`", async () => {
    const hashing = make()
    assert.strictEqual(await hashing, hashing)
    assert.isUndefined((hashing as any).then)
  })

  it("cannot be changed, and has nothing to list", () => {
    const hashing: any = make()
    assert.throws(() => (hashing.sha256 = 1), TypeError)
    assert.throws(() => Object.defineProperty(hashing, "x", {}), TypeError)
    assert.deepStrictEqual(Object.keys(hashing), [])
    assert.strictEqual(Object.prototype.toString.call(hashing), "[object WorkerModule]")
  })

  it("takes any URL, as an object or as text", () => {
    for (const url of ["file:///x.js", "data:text/javascript,0", "https://example.org/x.js", "node:fs"]) {
      assert.strictEqual(core.sourceOf("here", make(url)).href, url)
    }
  })

  it("refuses what is no URL: what a path is relative to would be another place there", () => {
    for (const url of ["./x.js", "/x.js", "C:\\x.js", "x", "/data:x.js", "a%:x.js"]) {
      assert.throws(() => make(url), TypeError, /^here: url must be a URL, as of new URL\(/)
    }
    for (const url of [undefined, null, 1, {}])
      assert.throws(() => core.make("here", url as any), TypeError, /^here: url must be a URL, got /)
  })

  it("refuses errors that are not classes with names", () => {
    const nameless = (() => class extends Error {})()
    for (const errors of [Broken, [Broken, "Broken"], [nameless], 1]) {
      assert.throws(
        () => make(undefined, { errors }),
        TypeError,
        /^here: errors must be an array of classes with names/
      )
    }
    assert.throws(() => make(undefined, null), TypeError, /^here: options must be an object/)
  })
})

describe("what is no module, or no function of one", () => {
  it("is refused", () => {
    for (const value of [undefined, null, {}, "file:///x.js", make().sha256]) {
      assert.throws(() => core.sourceOf("here", value as any), TypeError, /^here: module must be a module/)
    }
    for (const value of [undefined, null, {}, "sha256", () => {}, make()]) {
      assert.throws(() => core.callOf("here", value as any), TypeError, /^here: call must be a function of a module/)
    }
  })
})

describe("a call with a contract", () => {
  const codec = (encode: core.Codec["encode"]): core.Codec => ({ encode, success: (a) => a, failure: (e) => e })

  it("has its codec, and is otherwise what it was", () => {
    const { sha256 } = make()
    const hex = codec((args) => args)
    const translated = core.withCodec(sha256, hex)
    assert.strictEqual(core.codecOf(translated), hex)
    assert.deepStrictEqual([translated.href, translated.name], [sha256.href, sha256.name])
    assert.isTrue(Object.isFrozen(translated))
    assert.strictEqual(core.callOf("here", translated), translated)
    // None: not yet a contract, no call of a module, nothing at all.
    for (const call of [sha256, {} as any, undefined]) assert.isUndefined(core.codecOf(call))
  })

  it("that is made later is sent as its contract says; without one, as it is", () => {
    const args = [1, 2]
    const { sha256 } = make()
    assert.strictEqual(core.encodeNow("here", sha256, args), args)
    const encoded = core.encodeNow("here", core.withCodec(sha256, codec((given) => given.map(String))), args) // prettier-ignore
    assert.deepStrictEqual(encoded, ["1", "2"])
  })

  it("whose contract has to wait is refused, and how that ends goes to nobody", async () => {
    // Were nobody to handle it, the process would end of it.
    const rejected = Promise.reject(new Error("a schema that waits and fails"))
    const waits = codec(() => rejected)
    const unhandled: Array<unknown> = []
    const hear = (error: unknown) => void unhandled.push(error)
    process.on("unhandledRejection", hear)
    assert.throws(
      () => core.encodeNow("here", core.withCodec(make().sha256, waits), []),
      /^here: the arguments of sha256 cannot be encoded at once: its contract has a schema that waits$/
    )
    await new Promise((resolve) => setImmediate(resolve))
    process.off("unhandledRejection", hear)
    assert.deepStrictEqual(unhandled, [])
  })
})
