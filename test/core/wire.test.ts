import { assert, describe, it } from "@effect/vitest"
import { Data, Schema } from "effect"
import * as fc from "fast-check"
import * as wire from "../../src/core/wire.js"

const canClone = (value: unknown): boolean => {
  try {
    structuredClone(value)
    return true
  } catch {
    return false
  }
}

/** There and back, as between two threads. */
const sent = (thrown: unknown, classes: ReadonlyArray<wire.ErrorClass> = []): any =>
  wire.decode(structuredClone(wire.encode(thrown, canClone)), classes)

class NotFound extends Error {
  readonly #secret = 1
  constructor(readonly id: string) {
    super(`there is no ${id}`)
    if (id === undefined) throw new Error("the constructor was called")
  }
  get advice(): string {
    return `look for another than ${this.id}`
  }
  get secret(): number {
    return this.#secret
  }
}
class Gone extends NotFound {}

describe("errors on the wire", () => {
  it.each([
    Error,
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError
  ] as ReadonlyArray<ErrorConstructor>)("%o arrives as itself", (Class) => {
    const error = new Class("no")
    const arrived = sent(error)
    assert.instanceOf(arrived, Class)
    assert.strictEqual(Object.getPrototypeOf(arrived), Class.prototype)
    assert.strictEqual(arrived.name, error.name)
    assert.strictEqual(arrived.message, "no")
    assert.strictEqual(arrived.stack, error.stack)
    assert.deepStrictEqual(Object.keys(arrived), [])
    // For the engine it is one as well: it is logged as such, and cloned as such.
    assert.instanceOf(structuredClone(arrived), Class)
  })

  it("a DOMException keeps its name, and the code that goes with it", () => {
    const arrived = sent(new DOMException("enough", "AbortError"))
    assert.instanceOf(arrived, DOMException)
    assert.deepStrictEqual([arrived.name, arrived.message, arrived.code], ["AbortError", "enough", 20])
  })

  it("causes and the errors of an AggregateError are errors, too", () => {
    const cause = new RangeError("out of range")
    const arrived = sent(new AggregateError([cause, "text"], "both", { cause }))
    assert.instanceOf(arrived, AggregateError)
    assert.instanceOf(arrived.errors[0], RangeError)
    assert.strictEqual(arrived.errors[1], "text")
    assert.strictEqual(arrived.cause, arrived.errors[0])
    assert.deepStrictEqual(Object.keys(arrived), [])
  })

  it("a cause that is undefined was one all the same", () => {
    assert.isTrue("cause" in sent(new Error("", { cause: undefined })))
    assert.isFalse("cause" in sent(new Error("")))
  })

  it("a registered class is restored, and its constructor is not called", () => {
    const arrived = sent(new NotFound("x"), [NotFound])
    assert.instanceOf(arrived, NotFound)
    assert.strictEqual(arrived.advice, "look for another than x")
    assert.strictEqual(arrived.name, "Error")
    assert.throws(() => arrived.secret, TypeError)
  })

  it("a class that is not registered is an Error with its name and its properties", () => {
    const arrived = sent(new NotFound("x"))
    assert.strictEqual(Object.getPrototypeOf(arrived), Error.prototype)
    assert.deepStrictEqual([arrived.name, arrived.message, arrived.id], ["NotFound", "there is no x", "x"])
    class Odd extends TypeError {}
    assert.strictEqual(Object.getPrototypeOf(sent(new Odd("odd"))), TypeError.prototype)
    assert.strictEqual(sent(new Odd("odd")).name, "Odd")
  })

  it("a subclass of a registered class is an instance of that", () => {
    const arrived = sent(new Gone("x"), [NotFound])
    assert.strictEqual(Object.getPrototypeOf(arrived), NotFound.prototype)
    assert.strictEqual(arrived.name, "Gone")
  })

  it("a name of its own is kept", () => {
    const error = Object.assign(new Error("late"), { name: "TimeoutError", code: "E_LATE" })
    const arrived = sent(error)
    assert.deepStrictEqual([arrived.name, arrived.code], ["TimeoutError", "E_LATE"])
    assert.deepStrictEqual(Object.keys(arrived).toSorted(), ["code", "name"])
  })

  it("Effect's tagged errors are instances of their classes when these are registered, and have their tags anyway", () => {
    class Data1 extends Data.TaggedError("Data1")<{ readonly id: number }> {}
    class Schema1 extends Schema.TaggedError<Schema1>()("Schema1", { id: Schema.Number }) {}
    for (const [error, Class] of [
      [new Data1({ id: 1 }), Data1],
      [new Schema1({ id: 1 }), Schema1]
    ] as ReadonlyArray<[Data1, new (...args: any) => Data1]>) {
      const arrived = sent(error, [Class])
      assert.instanceOf(arrived, Class)
      assert.deepStrictEqual([arrived._tag, arrived.id], [error._tag, 1])
      assert.deepStrictEqual(Object.keys(arrived).toSorted(), Object.keys(error).toSorted())
      const unknown: any = sent(error)
      assert.isTrue(unknown instanceof Error)
      assert.deepStrictEqual([unknown._tag, unknown.id, unknown.name], [error._tag, 1, error._tag])
    }
  })

  it("a tag that the class has is kept as a property", () => {
    class Tagged extends Error {
      get _tag(): string {
        return "Tagged"
      }
    }
    assert.strictEqual(sent(new Tagged())._tag, "Tagged")
    assert.deepStrictEqual(Object.keys(sent(new Tagged(), [Tagged])), [])
  })

  it("what is thrown like an error and is none keeps its class where that is registered", () => {
    class Refusal {
      readonly _tag = "Refusal"
      constructor(readonly why: string) {}
    }
    assert.instanceOf(sent(new Refusal("no"), [Refusal]), Refusal)
    assert.deepStrictEqual(sent(new Refusal("no")), { _tag: "Refusal", why: "no" })
  })

  it("errors that refer to each other in a circle do so when they arrive", () => {
    const a: any = new Error("a")
    const b: any = new RangeError("b", { cause: a })
    a.cause = b
    a.list = [a, b, 1]
    const arrived = sent(a)
    assert.strictEqual(arrived.cause.cause, arrived)
    assert.strictEqual(arrived.list[0], arrived)
    assert.strictEqual(arrived.list[1], arrived.cause)
    assert.strictEqual(arrived.list[2], 1)
  })

  it("a chain of causes may be long; what is too much of it is said to be missing", () => {
    let error = new Error("0")
    for (let i = 1; i < 5_000; i++) error = new Error(String(i), { cause: error })
    let arrived = sent(error)
    let length = 1
    for (; arrived.cause; arrived = arrived.cause) length++
    assert.strictEqual(length, 1_001)
    assert.strictEqual(arrived.message, "one of more than 1000 errors cannot be sent")
  })

  it("properties that cannot be cloned are left out, a cause that cannot be is said to be", () => {
    const arrived = sent(Object.assign(new Error("x", { cause: () => {} }), { retry: () => {}, times: 3 }))
    assert.deepStrictEqual(Object.keys(arrived), ["times"])
    assert.strictEqual(arrived.cause.message, "a function cannot be sent")
  })

  it("a getter that throws is as good as none", () => {
    class Hostile extends Error {
      override get message(): string {
        throw new Error("not now")
      }
      override get name(): string {
        throw new Error("not now")
      }
      get _tag(): string {
        throw new Error("not now")
      }
    }
    const arrived = sent(new Hostile())
    assert.deepStrictEqual([arrived.name, arrived.message], ["Hostile", ""])
  })

  it.each([undefined, null, 0, "text", 1n, { reason: "because" }, [1, [2]]])("%o arrives as it is", (value) => {
    assert.deepStrictEqual(sent(value), value)
  })

  it("something thrown that cannot be sent is an error that says so", () => {
    assert.strictEqual(sent(() => {}).message, "a function cannot be sent")
    assert.strictEqual(sent(Symbol("x")).message, "a symbol cannot be sent")
    assert.strictEqual(sent({ f: () => {} }).message, "an Object cannot be sent")
    assert.strictEqual(sent(new Map([[1, () => {}]])).message, "a Map cannot be sent")
  })

  it("a property named __proto__ is a property", () => {
    const error = new Error("x")
    Object.defineProperty(error, "__proto__", { value: { polluted: true }, enumerable: true })
    const arrived = sent(error)
    assert.instanceOf(arrived, Error)
    assert.isTrue(Object.hasOwn(arrived, "__proto__"))
  })

  it("whatever is thrown can be cloned once it is encoded, and decoded", () => {
    const value = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withSparseArray: true })
    const error = fc
      .record({ message: fc.string(), cause: value, properties: fc.dictionary(fc.string(), value) })
      .map(({ cause, message, properties }) => {
        const made = new Error(message, { cause })
        for (const [name, each] of Object.entries(properties)) {
          if (name !== "stack" && name !== "message")
            Object.defineProperty(made, name, { value: each, enumerable: true })
        }
        return made
      })
    fc.assert(
      fc.property(fc.oneof(value, error, fc.array(error)), (thrown) => {
        const arrived = sent(thrown)
        if (!(thrown instanceof Error)) return
        assert.instanceOf(arrived, Error)
        assert.strictEqual(arrived.message, thrown.message)
      })
    )
  })
})

describe("what cannot be cloned", () => {
  const found = (value: unknown) => wire.unclonable("result", value)

  it("is found, with its path", () => {
    const f = () => {}
    assert.strictEqual(found({ items: [1, { callback: f }] }), "result.items[1].callback is a function")
    assert.strictEqual(found(f), "result is a function")
    assert.strictEqual(found({ "a-b": Symbol("x") }), 'result["a-b"] is a symbol')
    assert.strictEqual(found(new Map([["k", { x: new WeakMap() }]])), 'result.get("k").x is a WeakMap')
    assert.strictEqual(found(new Map([[{ f }, 1]])), "a key of result.f is a function")
    assert.strictEqual(found(new Set([[Promise.resolve()]])), "an element of result[0] is a Promise")
    assert.strictEqual(found(new Error("x", { cause: { f } })), "result.cause.f is a function")
    assert.strictEqual(found([(function* () {})()]), "result[0] is a Generator")
  })

  it("is the first of several", () => {
    assert.strictEqual(found({ a: { b: () => {} }, c: () => {} }), "result.a.b is a function")
  })

  it("is not found where there is nothing: circles, getters that throw, much of it", () => {
    const circle: any = { deep: [] }
    circle.deep.push(circle)
    assert.isUndefined(found(circle))
    assert.isUndefined(
      found({
        get x() {
          throw new Error("not now")
        }
      })
    )
    assert.isUndefined(found({ n: 1, d: new Date(), r: /x/, a: new Uint8Array(1e6), e: new RangeError("x") }))
    assert.isUndefined(found(Array.from({ length: 200_000 }, (_, index) => ({ index }))))
    let deep: unknown = {}
    for (let i = 0; i < 50_000; i++) deep = { deep }
    assert.isUndefined(found(deep))
  })

  it("agrees with what cloning says", () => {
    const leaf = fc.oneof(
      fc.anything(),
      fc.constant(() => {}),
      fc.constant(Symbol("x"))
    )
    fc.assert(
      fc.property(fc.oneof(leaf, fc.array(leaf), fc.dictionary(fc.string(), fc.array(leaf))), (value) => {
        assert.strictEqual(found(value) === undefined, canClone(value))
      })
    )
  })

  describe("by what the platform says of it", () => {
    const refusal = (value: unknown): unknown => {
      try {
        structuredClone(value)
      } catch (error) {
        return error
      }
      return assert.fail("it can be cloned")
    }
    const found = (value: unknown) => wire.unclonable("result", value, refusal(value))

    it("is found where it looks like anything else", () => {
      const proxy = new Proxy({}, {})
      assert.strictEqual(
        found({ a: { b: [1, proxy] } }),
        "result.a.b[1] is an Object that cannot be cloned, perhaps a Proxy"
      )
      assert.strictEqual(found([new Proxy([1], {})]), "result[0] is an Array that cannot be cloned, perhaps a Proxy")
      const circle: any = { a: {} }
      circle.a.back = circle
      circle.z = proxy
      assert.strictEqual(found(circle), "result.z is an Object that cannot be cloned, perhaps a Proxy")
      const closed = new Proxy({}, { ownKeys: () => assert.fail("not now") })
      assert.strictEqual(found([closed]), "result[0] is an Object that cannot be cloned, perhaps a Proxy")
    })

    it("is found where it is of the platform", () => {
      assert.strictEqual(found({ items: [1, 2].values() }), "result.items is an Array Iterator that cannot be cloned")
      const { port1 } = new MessageChannel()
      assert.strictEqual(found({ port1 }), "result.port1 is a MessagePort that cannot be cloned, only moved")
      port1.close()
    })

    it("is found where another way of sending does not take it", () => {
      const memory = new SharedArrayBuffer(1)
      const cause = new Error("#<SharedArrayBuffer> could not be cloned.")
      assert.strictEqual(wire.unclonable("result", { memory }, cause), "result.memory is a SharedArrayBuffer")
      assert.isUndefined(wire.unclonable("result", { memory }, new Error("it cannot be sent")))
      assert.isUndefined(wire.unclonable("result", { a: 1 }, new Error("#<Object> could not be cloned.")))
    })

    it("is not looked for without end", () => {
      const many = Array.from({ length: 5_000 }, () => ({}))
      assert.isUndefined(found([...many, new Proxy({}, {})]))
      assert.strictEqual(
        found({ many, p: new Proxy({}, {}) }),
        "result.p is an Object that cannot be cloned, perhaps a Proxy"
      )
    })
  })

  it("is an error that names the function, and where", () => {
    const value = { f: () => {} }
    const cause = new Error("could not be cloned")
    const error = wire.notCloneable("resize", "result", value, cause)
    assert.strictEqual(error.message, "resize: the result cannot be sent: result.f is a function")
    assert.deepStrictEqual(
      [error._tag, error.target, error.found, error.cause],
      ["NotCloneable", "resize", "result.f is a function", cause]
    )
    assert.strictEqual(
      wire.notCloneable("resize", "arguments", [1], cause).message,
      "resize: the arguments cannot be sent: could not be cloned"
    )
    assert.match(wire.notCloneable("resize", "arguments", [1]).message, /: it cannot be cloned$/)
    assert.instanceOf(sent(error, [wire.NotCloneable]), wire.NotCloneable)
  })
})
