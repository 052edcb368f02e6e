/** Frames as bytes, and back. */
import { assert, describe, it } from "@effect/vitest"
import { type FromWorker, message, type Order, order, Say, type ToWorker } from "../../src/core/protocol.js"
import { ending, dismissal, Do, listening } from "../../src/core/protocol.js"
import { pack, Unpacking } from "../../src/worker/packets.js"

type Frame = ToWorker | FromWorker

const target = (args: ReadonlyArray<unknown>) => ["file:///jobs.js", "add", args] as const

const run = (args: ReadonlyArray<unknown>, context?: unknown): Order => [Do.run, 7, -1, target(args), context]

const value = (value: unknown, memory?: number): FromWorker => message([Say.value, 7, value, memory])

/** What comes of pieces of bytes. */
const read = (...pieces: ReadonlyArray<Uint8Array>): ReadonlyArray<any> => {
  const frames: Array<unknown> = []
  const failed = (error: unknown) => {
    throw error
  }
  const unpacking = new Unpacking((frame) => frames.push(frame), failed)
  for (const piece of pieces) unpacking.read(piece as any)
  return frames
}

const kindOf = (bytes: Uint8Array): "text" | "clone" => (bytes[4] === 0 ? "text" : "clone")

/** Frames that are text have nothing in the place of what is undefined at their end, which whoever takes them apart does not see. */
const filled = (frame: any, like: any): any =>
  Array.isArray(like) && Array.isArray(frame)
    ? Array.from({ length: Math.max(like.length, frame.length) }, (_, i) => filled(frame[i], like[i]))
    : frame

const both = (frame: Frame): readonly [kind: string, back: unknown] => {
  const bytes = pack(frame)
  const [back, ...others] = read(bytes)
  assert.lengthOf(others, 0)
  return [kindOf(bytes), filled(back, frame)]
}

const long = "x".repeat(10_000)

/** For `it.each`, which takes a list among them apart. */
const each = <A>(...all: ReadonlyArray<A>): ReadonlyArray<readonly [A]> => all.map((one) => [one])

describe("a frame", () => {
  const plain = [1, -1.5, 2 ** 53, 1e300, 0, "", "text", '\ud800 \u2028 \n "\u0000é😀', true, false, null, undefined]

  it.each(
    each<Frame>(
      listening,
      dismissal,
      ending,
      message([Say.ready]),
      order([Do.end]),
      order(run([])),
      order(run(plain)),
      order(run([undefined])),
      order([Do.several, [run([1, undefined, null]), run(["b"])] as any]),
      ...plain.map((one) => value(one))
    )
  )("of plain values is text: %j", (frame) => {
    assert.deepStrictEqual(both(frame), ["text", frame])
  })

  it.each(
    each<Frame>(
      order([Do.hello, { board: undefined, data: new Map(), init: undefined, memory: false, concurrency: 1 }]),
      order([Do.stop, 7, { thrown: { value: "enough" }, errors: [] }]),
      order([Do.run, 7, -1, [undefined, "add", [1]], undefined]),
      order(run([1], "context")),
      order(run([1], null)),
      order([Do.several, [run([1]), run([1], 2)] as any]),
      message([Say.failed, { thrown: { value: 1 }, errors: [] }]),
      message([Say.error, 7, { thrown: { value: undefined }, errors: [] }, undefined]),
      message([Say.failure, 7, { thrown: { value: undefined }, errors: [] }, 5]),
      value(undefined, 1_000_000),
      value(1, 1_000_000)
    )
  )("of anything else is a clone: %j", (frame) => {
    assert.deepStrictEqual(both(frame), ["clone", frame])
  })

  it.each(
    each<unknown>(
      -0,
      NaN,
      Infinity,
      -Infinity,
      10n,
      long,
      [],
      [undefined],
      {},
      { toJSON: 1, __proto__: null },
      new Date(5),
      /a/g,
      new Set([1]),
      new Map([[{}, -0]]),
      new Uint8Array([1, 2]),
      new Float64Array([-0, NaN]),
      new Error("e")
    )
  )("keeps what JSON does not: %s", (one) => {
    for (const frame of [value(one), order(run([one])), order(run([1, one]))]) {
      const [kind, back] = both(frame)
      assert.strictEqual(kind, "clone")
      assert.deepStrictEqual(structuredClone(frame), back)
    }
  })

  it("keeps what an object is twice in, and one that is in itself", () => {
    const loop: { self?: unknown } = {}
    loop.self = loop
    const [, [, , back]] = read(pack(value([loop, loop])))[0]
    assert.strictEqual(back[0], back[1])
    assert.strictEqual(back[0].self, back[0])
  })

  it("has the plain properties of an object of the platform, as what Node sends to a process", () => {
    const { port1 } = new MessageChannel()
    const [, [, , back]] = read(pack(value({ port: Object.assign(port1, { label: "x" }) })))[0]
    assert.strictEqual(back.port.label, "x")
    port1.close()
  })

  it.each(each<unknown>(() => 1, Symbol("s"), new WeakMap(), new SharedArrayBuffer(1), [() => 1]))(
    "that cannot be cloned is none: %s",
    (one) => {
      assert.throws(() => pack(value(one)), /could not be cloned/)
      assert.throws(() => pack(order(run([one]))), /could not be cloned/)
    }
  )
})

describe("frames of a stream", () => {
  const frames = [value(1), order(run([new Uint8Array(300)])), listening, value(long), value("é")]
  const whole = frames.map((frame) => read(pack(frame))[0])
  const bytes = Buffer.concat(frames.map(pack))

  it.each([1, 2, 3, 4, 5, 6, 7, 64, 311, 10_000, 100_000])("come in pieces of %i bytes", (size) => {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size)
    )
    assert.deepStrictEqual(read(...pieces), whole)
  })

  it("are heard though one of them cannot be read", () => {
    const broken = Buffer.from(pack(value([])))
    broken.fill(0xfe, 5)
    const [heard, errors]: [Array<unknown>, Array<unknown>] = [[], []]
    const unpacking = new Unpacking(
      (frame) => heard.push(frame),
      (error) => errors.push(error)
    )
    unpacking.read(Buffer.concat([pack(value(1)), broken, pack(value(2))]) as any)
    assert.deepStrictEqual(heard, [read(pack(value(1)))[0], read(pack(value(2)))[0]])
    assert.lengthOf(errors, 1)
  })

  it("are heard though hearing one of them throws, and that is thrown", async () => {
    const heard: Array<unknown> = []
    const thrown: Array<unknown> = []
    const { queueMicrotask } = globalThis
    globalThis.queueMicrotask = (f) =>
      queueMicrotask(() => {
        try {
          f()
        } catch (error) {
          thrown.push(error)
        }
      })
    try {
      const hear = (frame: unknown) => {
        if (heard.push(frame) === 1) throw new Error("deaf")
      }
      new Unpacking(hear, (error) => thrown.push(error)).read(bytes as any)
      await Promise.resolve()
    } finally {
      globalThis.queueMicrotask = queueMicrotask
    }
    assert.deepStrictEqual(heard, whole)
    assert.deepStrictEqual(thrown.map(String), ["Error: deaf"])
  })
})
