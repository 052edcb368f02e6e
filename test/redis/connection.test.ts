/** What a connection promises: with a driver that the test plays, and with a server to which things happen. */
import { EventEmitter } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import { Redis as Client } from "ioredis"
import { afterEach, beforeEach, vi } from "vitest"
import { StoreError, type StoreErrorReason } from "../../src/core/storeError.js"
import { integerReply, type Script } from "../../src/core/redis/script.js"
import { connect } from "../../src/redis/connect.js"
import type { Connection } from "../../src/redis/connection.js"
import { settle, start } from "../laws/skins.js"
import { fake } from "../utils/fakeRedis.js"
import { describeRedis, runNode } from "../utils/redis.js"
import { rejectionOf } from "../utils/rejection.js"

const failsWith = async (call: Promise<unknown>, reason: StoreErrorReason, message: RegExp): Promise<StoreError> => {
  const error = await rejectionOf(call)
  if (!(error instanceof StoreError)) throw error
  assert.strictEqual(error.reason, reason)
  assert.match(error.message, message)
  return error
}

const increment: Script<string, number> = {
  name: "increment",
  lua: `return redis.call("INCR", KEYS[1])`,
  keys: (prefix, name) => [`${prefix}:${name}`],
  args: () => [],
  decode: (reply) => integerReply("increment", reply)
}

describe("a connection", () => {
  beforeEach(() =>
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] })
  )
  afterEach(() => {
    assert.strictEqual(vi.getTimerCount(), 0, "a timer is left")
    vi.useRealTimers()
  })

  it("sends what is asked in the order in which it is asked, once it can; and gives the answers", async () => {
    const { connection, link } = fake()
    const one = connection.send("SET", ["a", 1])
    const two = start(({ signal }) => connection.send("GET", ["a"], { signal }))
    await settle()
    assert.deepStrictEqual(link.sent, [])
    link.events.ready()
    assert.deepStrictEqual(link.sent, ["SET a 1", "GET a"])
    const three = connection.send("PING")
    assert.strictEqual(link.sent.at(-1), "PING")
    link.answer("OK")
    assert.strictEqual(await one, "OK")
    assert.strictEqual(two.state, "waiting")
    link.answer("1")
    link.answer("PONG")
    assert.strictEqual(await three, "PONG")
    assert.strictEqual(two.value, "1")
    connection.close()
  })

  it("never sends what its caller has given up before it could be sent", async () => {
    const { connection, link } = fake()
    const call = start(({ signal }) => connection.send("SET", ["a", 1], { signal }))
    call.cancel()
    await settle()
    assert.strictEqual(call.state, "cancelled")
    const late = failsWith(
      connection.send("DEL", ["a"]),
      "timeout",
      /^DEL: the server could not be reached for 2000 ms$/
    )
    vi.advanceTimersByTime(2000)
    await late
    link.events.ready()
    assert.deepStrictEqual(link.sent, [])
    const aborted = AbortSignal.abort("gone")
    assert.strictEqual(await rejectionOf(connection.send("PING", [], { signal: aborted })), "gone")
    assert.deepStrictEqual(link.sent, [])
    connection.close()
  })

  it("drops the answer when its caller has gone meanwhile", async () => {
    const { connection, link } = fake()
    link.events.ready()
    const call = start(({ signal }) => connection.send("PING", [], { signal }))
    call.cancel()
    await settle()
    assert.strictEqual(call.state, "cancelled")
    link.answer("PONG")
    const next = connection.send("PING")
    link.answer("next")
    assert.strictEqual(await next, "next")
    connection.close()
  })

  it("leaves no listener at the signal, however the call ended", async () => {
    const { connection, link } = fake({ timeout: 100 })
    link.events.ready()
    const { signal } = new AbortController()
    const [added, removed] = [vi.spyOn(signal, "addEventListener"), vi.spyOn(signal, "removeEventListener")]
    const answered = connection.send("ONE", [], { signal })
    link.answer(1)
    await answered
    const refused = failsWith(connection.send("TWO", [], { signal }), "server", /no/)
    link.refuse("no")
    await refused
    const late = failsWith(connection.send("THREE", [], { signal }), "timeout", /no answer/)
    vi.advanceTimersByTime(100)
    await late
    assert.strictEqual(added.mock.calls.length, 3)
    assert.deepStrictEqual(removed.mock.calls, added.mock.calls)
    connection.close()
  })

  it("fails what is not answered in time, and begins a new connection: no later answer would come on this one either", async () => {
    const { connection, link } = fake({ timeout: 100 })
    link.events.ready()
    const one = failsWith(connection.send("ONE"), "timeout", /^ONE: no answer came within 100 ms$/)
    vi.advanceTimersByTime(60)
    const two = failsWith(connection.send("TWO"), "connection", /^TWO: the connection broke$/)
    vi.advanceTimersByTime(39)
    assert.strictEqual(link.resets, 0)
    vi.advanceTimersByTime(1)
    await Promise.all([one, two])
    assert.strictEqual(link.resets, 1)
    const three = connection.send("THREE")
    assert.deepStrictEqual(link.sent, ["ONE", "TWO"])
    link.events.ready()
    assert.deepStrictEqual(link.sent, ["ONE", "TWO", "THREE"])
    link.open.at(-1)!.answer(3)
    assert.strictEqual(await three, 3)
    connection.close()
  })

  it("each question has its whole time, though one timer is for all: also when those before it were answered, or given up", async () => {
    const { connection, link } = fake({ timeout: 100 })
    const timers = vi.getTimerCount()
    link.events.ready()
    const controller = new AbortController()
    const one = connection.send("ONE")
    vi.advanceTimersByTime(30)
    const two = connection.send("TWO", [], { signal: controller.signal }).catch((reason: unknown) => reason)
    vi.advanceTimersByTime(30)
    const three = failsWith(connection.send("THREE"), "timeout", /^THREE: no answer came within 100 ms$/)
    assert.isAtMost(vi.getTimerCount(), timers)
    link.answer(1)
    assert.strictEqual(await one, 1)
    controller.abort("enough")
    assert.strictEqual(await two, "enough")
    vi.advanceTimersByTime(99)
    assert.strictEqual(link.resets, 0)
    vi.advanceTimersByTime(1)
    await three
    assert.strictEqual(link.resets, 1)
    // Nobody waits, and later somebody does again.
    link.events.ready()
    vi.advanceTimersByTime(250)
    const four = failsWith(connection.send("FOUR"), "timeout", /^FOUR: no answer/)
    vi.advanceTimersByTime(99)
    assert.strictEqual(link.resets, 1)
    vi.advanceTimersByTime(1)
    await four
    connection.close()
  })

  it("fails what is in flight at once when it breaks, with why, and does not send it again", async () => {
    const { connection, link } = fake()
    link.events.ready()
    const why = new Error("ECONNRESET")
    const call = failsWith(connection.send("INCR", ["a"]), "connection", /^INCR: the connection broke$/)
    link.events.lost(why)
    assert.strictEqual((await call).cause, why)
    link.events.ready()
    assert.deepStrictEqual(link.sent, ["INCR a"])
    connection.close()
  })

  it("after an outage as long as its timeout fails everything at once, until the server is back", async () => {
    const { connection, link } = fake({ timeout: 100 })
    link.events.ready()
    link.events.lost(new Error("one"))
    vi.advanceTimersByTime(50)
    const waited = failsWith(connection.send("PING"), "timeout", /could not be reached for 100 ms/)
    vi.advanceTimersByTime(50)
    await waited
    const why = new Error("two")
    link.events.lost(why)
    const error = await failsWith(
      connection.send("PING"),
      "connection",
      /^PING: the server could not be reached for 100 ms \(two\)$/
    )
    assert.strictEqual(error.cause, why)
    link.events.ready()
    const call = connection.send("PING")
    link.answer("PONG")
    assert.strictEqual(await call, "PONG")
    // The next outage has its own time.
    link.events.lost(undefined)
    const next = connection.send("PING")
    vi.advanceTimersByTime(99)
    link.events.ready()
    link.answer("again")
    assert.strictEqual(await next, "again")
    connection.close()
  })

  it("says what the server says, and names the keys of which one has another type", async () => {
    const { connection, link } = fake()
    link.events.ready()
    const refused = failsWith(connection.send("EVIL"), "server", /^EVIL: ERR unknown command$/)
    link.refuse("ERR unknown command")
    await refused
    const typed = failsWith(
      connection.run(increment, "a"),
      "wrong type",
      /^increment: something else is stored: "effect-concurrency:a"$/
    )
    link.answer("digest")
    link.refuse("WRONGTYPE Operation against a key holding the wrong kind of value script: 1, on @user_script:1.")
    await typed
    connection.close()
  })

  it("asks something now and then while nobody else does, so that it does not find out too late that it is lost", async () => {
    const made = fake({ timeout: 100 })
    const { connection, link } = made
    const entered = connection.subscribe("c", () => {})
    const { listening } = made
    vi.advanceTimersByTime(15_000)
    assert.deepStrictEqual([...link.sent, ...listening.sent], [])
    entered.catch(() => {})
    link.events.ready()
    listening.events.ready()
    const again = connection.subscribe("c", () => {})
    listening.answer(1)
    const leave = await again
    vi.advanceTimersByTime(15_000)
    assert.deepStrictEqual([link.sent, listening.sent], [["PING"], ["SUBSCRIBE c", "SUBSCRIBE c"]])
    link.answer("PONG")
    await settle()
    vi.advanceTimersByTime(100)
    await settle()
    assert.deepStrictEqual([link.resets, listening.resets], [0, 1])
    listening.events.ready()
    listening.answer(1)
    leave()
    // Whoever asks anyway finds it out himself.
    const call = connection.send("GET", ["a"])
    vi.advanceTimersByTime(99)
    link.answer(1)
    await call
    vi.advanceTimersByTime(15_000 - 199 - 1)
    const busy = connection.send("GET", ["b"])
    vi.advanceTimersByTime(1)
    link.answer(2)
    await busy
    assert.deepStrictEqual(link.sent, ["PING", "GET a", "GET b"])
    connection.close()
  })

  it("of a driver that throws fails with that", async () => {
    const { connection, link } = fake()
    const waiting = failsWith(connection.send("A"), "connection", /the connection broke/)
    const next = connection.send("B")
    const { call } = link
    link.call = (command, args) => {
      if (command === "A") throw new Error("a bug")
      return call.call(link, command, args)
    }
    link.events.ready()
    await waiting
    link.answer("B")
    assert.strictEqual(await next, "B")
    connection.close()
  })

  it("of a driver that throws when a script has to be sent whole fails with that, too", async () => {
    const { connection, link } = fake()
    link.events.ready()
    const known = connection.eval("e", "return 1", [])
    link.answer(1)
    link.answer("digest")
    await known
    const again = failsWith(connection.eval("e", "return 1", []), "connection", /the connection broke/)
    link.call = () => {
      throw new Error("a bug")
    }
    link.refuse("NOSCRIPT No matching script.")
    assert.strictEqual(((await again).cause as Error).message, "a bug")
    connection.close()
  })

  it("is over when it is closed: what is in flight, what waits, what comes later", async () => {
    const { connection, link } = fake()
    const closed = /: the connection is closed$/
    const waiting = failsWith(connection.send("A"), "closed", closed)
    connection.close()
    await waiting
    await failsWith(connection.send("B"), "closed", closed)
    await failsWith(
      connection.subscribe("c", () => {}),
      "closed",
      closed
    )
    assert.isTrue(link.isClosed)
    link.events.ready()
    link.events.lost(undefined)
    assert.deepStrictEqual(link.sent, [])
    connection.close()

    const other = fake()
    other.link.events.ready()
    const inFlight = failsWith(other.connection.send("A"), "closed", closed)
    const subscribing = failsWith(
      other.connection.subscribe("c", () => {}),
      "closed",
      closed
    )
    other.connection.close()
    await Promise.all([inFlight, subscribing])
    assert.isTrue(other.listening.isClosed)
  })

  it("of a driver that cannot work fails at once and for ever, with why", async () => {
    const { connection, link } = fake()
    const why = new Error("not installed")
    const call = failsWith(connection.send("A"), "connection", /^A: not installed$/)
    link.events.failed(why)
    assert.strictEqual((await call).cause, why)
    await failsWith(connection.send("B"), "connection", /^B: not installed$/)
    connection.close()
  })

  it("refuses a timeout and a prefix that make no sense", () => {
    assert.throws(() => fake({ timeout: 0 }), RangeError, "Redis: timeout must be a finite time above 0, got 0")
    assert.throws(() => fake({ timeout: Infinity }), RangeError)
    assert.throws(() => fake({ timeout: "2 seconds" as never }), TypeError)
    assert.throws(() => fake({ prefix: "{a}" }), RangeError)
  })

  describe("a script", () => {
    it("is sent whole at first, and then by what the server calls it", async () => {
      const { connection, link } = fake({ prefix: "p" })
      link.events.ready()
      const one = connection.run(increment, "a")
      const again = connection.run(increment, "b")
      assert.deepStrictEqual(link.sent, [
        `SCRIPT LOAD ${increment.lua}`,
        `EVAL ${increment.lua} 1 p:a`,
        `EVAL ${increment.lua} 1 p:b`
      ])
      link.answer("digest")
      link.answer(1)
      link.answer(2)
      assert.deepStrictEqual([await one, await again], [1, 2])
      const two = connection.run(increment, "a")
      assert.strictEqual(link.sent.at(-1), "EVALSHA digest 1 p:a")
      link.answer(2)
      assert.strictEqual(await two, 2)
      connection.close()
    })

    const known = async () => {
      const made = fake({ prefix: "p", timeout: 100 })
      made.link.events.ready()
      const first = made.connection.run(increment, "a")
      made.link.answer("digest")
      made.link.answer(1)
      await first
      return made
    }

    it("is sent whole again when the server has forgotten it", async () => {
      const { connection, link } = await known()
      const call = connection.run(increment, "a")
      link.refuse("NOSCRIPT No matching script")
      await settle()
      assert.strictEqual(link.sent.at(-1), `EVAL ${increment.lua} 1 p:a`)
      link.answer(2)
      assert.strictEqual(await call, 2)
      connection.close()
    })

    it("but not when its caller has gone by then, or the connection", async () => {
      const { connection, link } = await known()
      const call = start(({ signal }) => connection.run(increment, "a", { signal }))
      const { length } = link.sent
      call.cancel()
      link.refuse("NOSCRIPT No matching script")
      await settle()
      assert.strictEqual(call.state, "cancelled")
      const broken = failsWith(connection.run(increment, "a"), "connection", /broke/)
      link.events.lost(undefined)
      link.refuse("NOSCRIPT No matching script")
      await broken
      await settle()
      assert.strictEqual(link.sent.length, length + 1)
      connection.close()
    })

    it("is sent whole each time to a server that does not tell what it calls it; after a loss it is asked again", async () => {
      const { connection, link } = fake()
      link.events.ready()
      const call = async (...answers: ReadonlyArray<() => void>) => {
        const done = connection.run(increment, "a")
        for (const answer of answers) answer()
        await done.catch(() => {})
        await settle()
        return link.sent.splice(0).map((text) => text.split(" ")[0])
      }
      const breaks = () => {
        link.open.splice(0).forEach(({ fail }) => fail(new Error("broken")))
        link.events.lost(undefined)
        link.events.ready()
      }
      assert.deepStrictEqual(await call(breaks), ["SCRIPT", "EVAL"])
      assert.deepStrictEqual(
        await call(
          () => link.refuse("NOPERM"),
          () => link.answer(1)
        ),
        ["SCRIPT", "EVAL"]
      )
      assert.deepStrictEqual(await call(() => link.answer(1)), ["EVAL"])
      connection.close()
    })

    it("whose answer is none fails with that", async () => {
      const { connection, link } = await known()
      const call = failsWith(
        connection.run(increment, "a"),
        "reply",
        /^increment: the answer must be an integer, got "x"$/
      )
      link.answer("x")
      await call
      connection.close()
    })
  })

  describe("subscriptions", () => {
    const messages = () => {
      const heard: Array<string | undefined> = []
      return { heard, listener: (message: string | undefined) => void heard.push(message) }
    }

    it("have a connection of their own, that comes with the first; one question a channel, however many listen", async () => {
      const made = fake()
      const { connection, driver } = made
      made.link.events.ready()
      assert.strictEqual(driver.links.length, 1)
      const [one, two] = [messages(), messages()]
      const entered = [connection.subscribe("c", one.listener), connection.subscribe("c", two.listener)]
      assert.strictEqual(driver.links.length, 2)
      const { listening } = made
      listening.events.ready()
      assert.deepStrictEqual(listening.sent, ["SUBSCRIBE c"])
      listening.answer(1)
      const [leaveOne, leaveTwo] = await Promise.all(entered)
      listening.events.message("c", "hello")
      listening.events.message("d", "not for us")
      assert.deepStrictEqual([one.heard, two.heard], [["hello"], ["hello"]])
      leaveOne!()
      leaveOne!()
      listening.events.message("c", "again")
      assert.deepStrictEqual([one.heard, two.heard], [["hello"], ["hello", "again"]])
      leaveTwo!()
      assert.deepStrictEqual(listening.sent, ["SUBSCRIBE c", "UNSUBSCRIBE c"])
      listening.events.message("c", "late")
      assert.strictEqual(two.heard.length, 2)
      connection.close()
    })

    it("survive a loss: then each listener is called once, for it may have missed something", async () => {
      const made = fake()
      const { connection } = made
      const { heard, listener } = messages()
      const entered = connection.subscribe("c", listener)
      const { listening } = made
      listening.events.ready()
      listening.answer(1)
      await entered
      assert.deepStrictEqual(heard, [])
      listening.events.lost(undefined)
      const other = messages()
      const late = connection.subscribe("c", other.listener)
      listening.events.ready()
      assert.deepStrictEqual(listening.sent, ["SUBSCRIBE c", "SUBSCRIBE c"])
      await settle()
      assert.deepStrictEqual(heard, [], "not before the server has confirmed")
      listening.answer(1)
      await late
      assert.deepStrictEqual(heard, [undefined])
      assert.deepStrictEqual(other.heard, [], "whoever came in between has missed nothing")
      listening.events.message("c", "hello")
      assert.deepStrictEqual([heard, other.heard], [[undefined, "hello"], ["hello"]])
      connection.close()
    })

    it("that nobody confirms fail in time, and leave nothing", async () => {
      const made = fake({ timeout: 100 })
      made.link.events.ready()
      const { heard, listener } = messages()
      const late = failsWith(made.connection.subscribe("c", listener), "timeout", /^SUBSCRIBE: the server could not be/)
      vi.advanceTimersByTime(100)
      await late
      const { listening } = made
      listening.events.ready()
      assert.deepStrictEqual(listening.sent, [])
      const refused = failsWith(made.connection.subscribe("c", listener), "server", /^SUBSCRIBE: NOPERM$/)
      listening.refuse("NOPERM")
      await refused
      const call = start(({ signal }) => made.connection.subscribe("c", listener, { signal }))
      call.cancel()
      await settle()
      assert.strictEqual(call.state, "cancelled")
      assert.deepStrictEqual(listening.sent.slice(-2), ["SUBSCRIBE c", "UNSUBSCRIBE c"])
      listening.events.message("c", "hello")
      assert.deepStrictEqual(heard, [])
      made.connection.close()
    })

    it("that are left and entered again in the same step go on", async () => {
      const made = fake()
      const { heard, listener } = messages()
      const entered = made.connection.subscribe("c", listener)
      const { listening } = made
      listening.events.ready()
      listening.answer(1)
      ;(await entered)()
      const again = made.connection.subscribe("c", listener)
      assert.deepStrictEqual(listening.sent, ["SUBSCRIBE c", "UNSUBSCRIBE c", "SUBSCRIBE c"])
      listening.answer(0)
      listening.answer(1)
      await again
      listening.events.message("c", "hello")
      assert.deepStrictEqual(heard, ["hello"])
      made.connection.close()
    })
  })
})

/** Nothing that is expected here takes longer; the test fails when it does. */
const within = async <A>(milliseconds: number, what: string, call: Promise<A>): Promise<A> => {
  const begin = performance.now()
  try {
    return await call
  } finally {
    assert.isBelow(performance.now() - begin, milliseconds, what)
  }
}

const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
  const begin = performance.now()
  while (!(await holds())) {
    if (performance.now() - begin > 10_000) throw new Error(`it did not come about: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const answers = async (connection: Connection): Promise<boolean> =>
  connection.send("PING").then(
    () => true,
    () => false
  )

const timeout = 300

/** Longer than any timeout here, on a machine that does a lot besides. */
const soon = 3000

describeRedis("a connection to a server", (redis) => {
  it("sends commands and scripts", async () => {
    const connection = redis.connect()
    const { prefix } = redis
    assert.strictEqual(await connection.send("SET", [`${prefix}:a`, 1]), "OK")
    assert.strictEqual(await connection.send("GET", [`${prefix}:a`]), "1")
    assert.isNull(await connection.send("GET", [`${prefix}:none`]))
    assert.deepStrictEqual(await connection.send("HGETALL", [`${prefix}:none`]), [])
    assert.deepStrictEqual(await Promise.all([1, 2, 3].map(() => connection.run(increment, "n"))), [1, 2, 3])
    assert.deepStrictEqual(await connection.eval("e", "return {KEYS[1], ARGV[1], 2}", ["k"], ["ä"]), ["k", "ä", 2])
    const error = await failsWith(connection.send("NONSENSE"), "server", /^NONSENSE: ERR unknown command/)
    assert.instanceOf(error.cause, Error)
  })

  it("a key of another type is left alone, and named", async () => {
    const connection = redis.connect()
    await connection.send("RPUSH", [`${redis.prefix}:list`, "a"])
    await failsWith(connection.run(increment, "list"), "wrong type", new RegExp(`"${redis.prefix}:list"`))
    await failsWith(connection.send("INCR", [`${redis.prefix}:list`]), "wrong type", /^INCR: /)
    assert.deepStrictEqual(await connection.send("LRANGE", [`${redis.prefix}:list`, 0, -1]), ["a"])
  })

  it("a server that has forgotten a script is sent it again", async () => {
    const connection = redis.connect()
    await connection.run(increment, "flushed")
    await connection.run(increment, "flushed")
    await redis.connect().send("SCRIPT", ["FLUSH"])
    assert.strictEqual(await connection.run(increment, "flushed"), 3)
    assert.strictEqual(await connection.run(increment, "flushed"), 4)
  })

  it("hears messages, from when it was said that it does", async () => {
    const [listening, sending] = [redis.connect(), redis.connect()]
    const channel = `${redis.prefix}:news`
    for (let round = 0; round < 20; round++) {
      const heard: Array<string | undefined> = []
      const leave = await listening.subscribe(channel, (message) => void heard.push(message))
      assert.strictEqual(await sending.send("PUBLISH", [channel, `${round}`]), 1)
      await until("heard", () => heard.length > 0)
      assert.deepStrictEqual(heard, [`${round}`])
      leave()
    }
    await until("left", async () => (await sending.send("PUBLISH", [channel, "?"])) === 0)
  })

  it("enters and leaves many channels in any order", async () => {
    const [listening, sending] = [redis.connect(), redis.connect()]
    const channels = Array.from({ length: 5 }, (_, index) => `${redis.prefix}:c${index}`)
    const heard = new Map<string, number>()
    const hear = (channel: string) => () => void heard.set(channel, (heard.get(channel) ?? 0) + 1)
    for (let round = 0; round < 30; round++) {
      const entered = await Promise.all(channels.map((channel) => listening.subscribe(channel, hear(channel))))
      entered.forEach((leave, index) => (index + round) % 2 === 0 && leave())
      const again = await listening.subscribe(channels[round % 5]!, hear(channels[round % 5]!))
      heard.clear()
      for (const channel of channels) await sending.send("PUBLISH", [channel, "x"])
      const on = channels.filter((_, index) => (index + round) % 2 !== 0 || index === round % 5)
      await until("all heard", () => on.every((channel) => heard.has(channel)))
      again()
      entered.forEach((leave) => leave())
    }
  })

  it("goes on after it was looked after: commands, and listening", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    try {
      const connection = redis.connect()
      const channel = `${redis.prefix}:beat`
      const heard: Array<string | undefined> = []
      const leave = await connection.subscribe(channel, (message) => void heard.push(message))
      await connection.send("PING")
      for (let beats = 1; beats <= 3; beats++) {
        vi.advanceTimersByTime(15_000)
        assert.strictEqual(await connection.send("PUBLISH", [channel, "x"]), 1)
        await until("it is heard once", () => heard.length === beats)
      }
      leave()
      await until("it is left", async () => (await connection.send("PUBLISH", [channel, "x"])) === 0)
      connection.close()
    } finally {
      vi.useRealTimers()
    }
  })

  it("of a client that there is leaves it alone", async () => {
    const client = new Client(redis.url, { keyPrefix: "mine:", lazyConnect: true })
    const connection = redis.connect({ url: undefined, client })
    await connection.send("SET", [`${redis.prefix}:own`, "x"])
    assert.strictEqual(await redis.client().get(`${redis.prefix}:own`), "x")
    assert.strictEqual(client.status, "wait")
    connection.close()
    await client.connect()
    assert.strictEqual(await client.ping(), "PONG")
    assert.strictEqual(client.options.keyPrefix, "mine:")
    assert.strictEqual(client.listenerCount("error"), 0)
    client.disconnect()
  })

  it("of which the server refuses the database, or the options make no sense, is none", async () => {
    const wrong = redis.connect({ url: `${redis.url}/99`, timeout: 300 })
    const error = await failsWith(wrong.send("SET", ["a", 1]), "timeout", /could not be reached/)
    assert.match(String(error.cause), /DB index is out of range/)
    const right = redis.connect({ url: `${redis.url}/7` })
    await right.send("SET", [`${redis.prefix}:seven`, 1])
    assert.isNull(await redis.client().get(`${redis.prefix}:seven`))
    const bad = redis.connect({ url: undefined, ioredis: { Connector: 1 } })
    await failsWith(bad.send("PING"), "connection", /is not a constructor/)
  })

  it("refuses options that make no sense", () => {
    assert.throws(
      () => redis.connect({ client: {} as never, url: undefined }),
      TypeError,
      /client must be a client of ioredis/
    )
    const cluster = { duplicate() {}, isCluster: true } as never
    assert.throws(() => redis.connect({ client: cluster, url: undefined }), TypeError, /a cluster is not supported/)
    assert.throws(() => redis.connect({ url: 6379 as never }), TypeError, /url must be a string/)
    assert.throws(
      () => redis.connect({ driver: {} as never, url: undefined }),
      TypeError,
      /driver.open must be a function/
    )
    assert.throws(() => redis.connect({ client: { duplicate() {} } }), TypeError, /one of url, client and driver/)
  })
})

describe("a client of ioredis", () => {
  class FakeClient extends EventEmitter {
    readonly stream = { destroyed: false, destroy: vi.fn(), cork: vi.fn(), uncork: vi.fn() }
    readonly connect = vi.fn(async () => {})
    readonly disconnect = vi.fn()
    readonly call = vi.fn<(...args: ReadonlyArray<unknown>) => Promise<unknown>>(async () => "PONG")
  }

  const open = (timeout = 100) => {
    const client = new FakeClient()
    const duplicate = vi.fn<(options: object) => FakeClient>(() => client)
    const connection = connect({ client: { duplicate }, timeout })
    return { client, connection, duplicate }
  }

  it("is made to keep nothing for later, and to send nothing twice", () => {
    const { connection, duplicate } = open()
    assert.deepInclude(duplicate.mock.calls[0]![0], {
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      keyPrefix: "",
      connectTimeout: 2000,
      commandTimeout: undefined,
      socketTimeout: undefined
    })
    const { retryStrategy } = duplicate.mock.calls[0]![0] as { retryStrategy: (attempt: number) => number }
    assert.deepStrictEqual([1, 2, 3, 4, 5, 6, 1000].map(retryStrategy), [40, 80, 160, 320, 500, 500, 500])
    connection.close()
  })

  it("whose server accepts the connection and says nothing is connected anew", () => {
    vi.useFakeTimers()
    try {
      const { client, connection } = open()
      client.emit("connect")
      vi.advanceTimersByTime(1999)
      assert.strictEqual(client.stream.destroy.mock.calls.length, 0)
      vi.advanceTimersByTime(1)
      assert.strictEqual(client.stream.destroy.mock.calls.length, 1)
      client.emit("close")
      client.emit("connect")
      client.emit("ready")
      vi.advanceTimersByTime(3000)
      assert.strictEqual(client.stream.destroy.mock.calls.length, 1)
      connection.close()
    } finally {
      vi.useRealTimers()
    }
  })

  it("that gives up begins again, unless it was closed", () => {
    vi.useFakeTimers()
    try {
      const { client, connection } = open()
      client.emit("end")
      vi.advanceTimersByTime(500)
      assert.strictEqual(client.connect.mock.calls.length, 1)
      client.emit("end")
      connection.close()
      client.emit("end")
      vi.advanceTimersByTime(1000)
      assert.strictEqual(client.connect.mock.calls.length, 1)
      assert.strictEqual(client.disconnect.mock.calls.length, 1)
      assert.strictEqual(client.stream.destroy.mock.calls.length, 1)
    } finally {
      vi.useRealTimers()
    }
  })

  it("sends what is asked in one tick in one write, or in a few, also when its socket is another by then", async () => {
    const { client, connection } = open()
    client.emit("ready")
    const counts = ({ cork, uncork }: FakeClient["stream"]) => [cork.mock.calls.length, uncork.mock.calls.length]
    const answers = [connection.send("PING"), Promise.resolve().then(() => connection.send("PING"))]
    const before = client.stream
    assert.deepStrictEqual(counts(before), [1, 0])
    const nextTick = () => new Promise<void>((resolve) => setImmediate(resolve))
    await Promise.all([...answers, nextTick()])
    assert.deepStrictEqual(counts(before), [1, 1])
    const more = connection.send("PING")
    const after = { ...before, cork: vi.fn(), uncork: vi.fn() }
    Object.assign(client, { stream: after })
    await Promise.all([more, connection.send("PING"), nextTick()])
    assert.deepStrictEqual(counts(before), [2, 2])
    assert.deepStrictEqual(counts(after), [1, 1])
    // Of so much some leaves before the rest: the server need not wait for it.
    const many = Array.from({ length: 20 }, () => connection.send("PING"))
    assert.deepStrictEqual(counts(after), [4, 3])
    await Promise.all([...many, nextTick()])
    assert.deepStrictEqual(counts(after), [4, 4])
    connection.close()
  })

  it("has the commands as they are, but for two that it knows by their small names only", async () => {
    const { client, connection } = open()
    client.emit("ready")
    await connection.send("HGETALL", ["a"])
    assert.deepStrictEqual(client.call.mock.calls[0], ["HGETALL", "a"])
    client.call.mockClear()
    const leave = connection.subscribe("c", () => {})
    client.emit("ready")
    ;(await leave)()
    assert.deepStrictEqual(client.call.mock.calls, [
      ["subscribe", "c"],
      ["unsubscribe", "c"]
    ])
    connection.close()
  })
})

describeRedis(
  "a server to which things happen",
  (redis) => {
    afterEach(() => redis.revive())

    /** Nothing is written there, by anybody. */
    const silent = async (body: () => Promise<void>): Promise<void> => {
      const written = ["error", "warn", "log"].map((name) =>
        vi.spyOn(console, name as "log").mockImplementation(() => {})
      )
      const stderr = vi.spyOn(process.stderr, "write").mockImplementation(() => true)
      try {
        await body()
        for (const spy of [...written, stderr]) assert.deepStrictEqual(spy.mock.calls, [])
      } finally {
        for (const spy of [...written, stderr]) spy.mockRestore()
      }
    }

    it("that is dead: everything fails in time, without a word, and works again when it is back; with empty data", () =>
      silent(async () => {
        const connection = redis.connect({ timeout })
        const key = `${redis.prefix}:dead`
        const get = () => connection.send("GET", [key])
        await until("it answers", () => answers(connection))
        await connection.send("SET", [key, 1])
        await redis.kill()
        // It may not know it yet, or waits for the connection.
        assert.isFalse(await within(soon, "a call", answers(connection)))
        await new Promise((resolve) => setTimeout(resolve, 2 * timeout))
        const error = await within(250, "a later call", failsWith(get(), "connection", /could not be reached/))
        assert.match(String(error.cause), /ECONNREFUSED/)
        const late = redis.connect({ timeout })
        await within(soon, "a new connection", failsWith(late.send("PING"), "timeout", /could not be reached/))
        await redis.start()
        await until("it answers", () => answers(connection))
        await until("it answers", () => answers(late))
        assert.isNull(await get())
      }))

    it("that dies while it is asked: what is in flight fails at once, and is not sent again", () =>
      silent(async () => {
        const connection = redis.connect({ timeout: 5000 })
        await connection.send("PING")
        redis.stop()
        const call = failsWith(connection.run(increment, "flight"), "connection", /the connection broke/)
        await new Promise((resolve) => setTimeout(resolve, 20))
        await redis.kill()
        await within(soon, "the call", call)
        await redis.start()
        // Whoever asks while there is no connection waits for it.
        assert.isNull(await connection.send("GET", [`${redis.prefix}:flight`]))
      }))

    it("that is stopped: everything fails in time, and works again when it goes on", () =>
      silent(async () => {
        const connection = redis.connect({ timeout })
        await until("it answers", () => answers(connection))
        redis.stop()
        await within(soon, "in flight", failsWith(connection.send("PING"), "timeout", /no answer came within 300 ms/))
        await within(soon, "waiting", failsWith(connection.send("PING"), "timeout", /could not be reached/))
        await within(250, "known", failsWith(connection.send("PING"), "connection", /could not be reached/))
        await new Promise((resolve) => setTimeout(resolve, 2 * timeout))
        redis.continue()
        await within(
          soon * 2,
          "back",
          until("it answers", () => answers(connection))
        )
      }))

    it("what was given up before there was a connection is never done", async () => {
      await redis.kill()
      const connection = redis.connect({ timeout: 5000 })
      const call = start(({ signal }) => connection.run(increment, "given up", { signal }))
      await new Promise((resolve) => setTimeout(resolve, 30))
      call.cancel()
      await redis.start()
      assert.isNull(await connection.send("GET", [`${redis.prefix}:given up`]))
      assert.strictEqual(call.state, "cancelled")
    })

    it("that cuts listeners off: they listen again by themselves, are called once, and hear what is sent then", async () => {
      const connection = redis.connect({ timeout: 5000 })
      const heard: Array<string | undefined> = []
      await connection.subscribe("c", (message) => void heard.push(message))
      for (let round = 0; round < 3; round++) {
        assert.strictEqual(await redis.client().call("CLIENT", "KILL", "TYPE", "pubsub"), 1)
        await until("the gap is told", () => heard.length > 0)
        await connection.send("PUBLISH", ["c", "news"])
        await until("it hears", () => heard.length > 1)
        assert.deepStrictEqual(heard.splice(0), [undefined, "news"])
      }
    })

    it("that cuts everybody off, or is another with nothing in it: listeners go on", async () => {
      const connection = redis.connect({ timeout: 5000 })
      const heard: Array<string | undefined> = []
      await connection.subscribe("c", (message) => void heard.push(message))
      const killed = connection.send("CLIENT", ["KILL", "TYPE", "normal", "SKIPME", "no"])
      await killed.catch((error) => assert.strictEqual(error.reason, "connection"))
      await until("it answers", () => answers(connection))
      await redis.restart()
      await until("the gap is told", () => heard.length > 0)
      assert.strictEqual(await connection.send("PUBLISH", ["c", "news"]), 1)
      await until("it hears", () => heard.length > 1)
      assert.deepStrictEqual(heard, [undefined, "news"])
    })

    it("sees two connections at most, and none when it is closed; what is in flight is settled", async () => {
      const connection = redis.connect()
      await Promise.all([
        connection.subscribe("c", () => {}),
        connection.subscribe("d", () => {}),
        connection.send("PING")
      ])
      const client = redis.client()
      const connected = async () => /connected_clients:(\d+)/.exec(await client.info("clients"))?.[1]
      await until("there are two", async () => (await connected()) === "3")
      const closed = failsWith(connection.send("PING"), "closed", /the connection is closed/)
      connection.close()
      await closed
      await until("they are gone", async () => (await connected()) === "1")
    })

    it("what was sent before it was closed is done", async () => {
      const connection = redis.connect()
      await connection.send("PING")
      const call = failsWith(connection.send("SET", [`${redis.prefix}:sent`, "x"]), "closed", /closed/)
      connection.close()
      await call
      await until("it is done", async () => (await redis.client().get(`${redis.prefix}:sent`)) === "x")
    })
  },
  { faults: true }
)

describeRedis(
  "a process that has closed its connections",
  (redis) => {
    /** Runs some code with a connection, which is open, in a process of its own: it has to end by itself, and to say nothing. */
    const ends = async (code: string): Promise<void> => {
      const connect = `import { connect } from "./dist/redis/connect.js"
      const connection = connect({ url: ${JSON.stringify(redis.url)}, timeout: 10_000 })`
      assert.strictEqual(await runNode(`${connect}\n${code}`), "")
    }

    it("ends by itself: after use, before it was connected, while listening", async () => {
      await ends(`
      await connection.send("PING")
      await connection.subscribe("c", () => {})
      connection.close()
      connect({ url: ${JSON.stringify(redis.url)} }).close()
      const nobody = connect({ url: "redis://127.0.0.1:1", timeout: 100 })
      nobody.send("PING").catch(() => nobody.close())
      connect({ url: "redis://127.0.0.1:1" }).close()
    `)
    })

    it("ends by itself also when the server does nothing any more", async () => {
      await ends(`
      await connection.send("PING")
      await connection.subscribe("c", () => {})
      process.kill(${redis.pid}, "SIGSTOP")
      connection.send("PING").catch(() => {})
      setTimeout(() => connection.close(), 50)
    `).finally(() => redis.continue())
    })
  },
  { faults: true }
)
