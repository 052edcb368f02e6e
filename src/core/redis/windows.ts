/**
 * The counts of `@effect/experimental`'s rate limiter on a Redis server: one script each, by the server's clock, in microseconds.
 *
 * A window of fixed length: how many tokens were taken, and when it is over. Each token that is taken makes it longer by the time in which
 * one comes back, so that the limiter can tell the window from the count. A bucket: how many tokens are in it, and since when. It is
 * refilled by whole tokens, and is forgotten when it would be full.
 *
 * @internal
 */
import { keyOf, listReply, numberReply, type Script } from "./script.js"

export interface WindowRequest {
  readonly key: string
  readonly tokens: number
  /** In how many milliseconds a token comes back. */
  readonly refill: number
  /** Undefined: none. */
  readonly limit: number | undefined
}

export interface BucketRequest {
  readonly key: string
  readonly tokens: number
  readonly refill: number
  readonly limit: number
  /** Whether there may be less than none in it. */
  readonly overflow: boolean
}

/** No key is kept for longer: a hundred years. */
const prelude = `
local time = redis.call("TIME")
local now = time[1] * 1000000 + time[2]
local function text(n) return string.format("%.17g", n) end
local function expire(us)
  redis.call("PEXPIRE", KEYS[1], string.format("%.0f", math.max(1, math.min(math.ceil(us / 1000), 3153600000000))))
end
`

/** More than a hundred years, and a number. */
const most = 1e16

const micros = (refill: number): number => Math.min(refill * 1000, most)

/** Takes tokens; gives how many were taken with these, and in how many milliseconds the window is over. */
export const fixedWindow: Script<WindowRequest, readonly [count: number, ttl: number]> = {
  name: "experimental.fixedWindow",
  keys: (prefix, { key }) => [keyOf(prefix, key, "experimental:window")],
  args: ({ limit, refill, tokens }) => [tokens, micros(refill), limit ?? ""].map(String),
  lua: `${prelude}
local tokens, refill, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call("HMGET", KEYS[1], "count", "until")
local count, over = tonumber(kept[1]), tonumber(kept[2])
if not count or not over or over <= now then
  count, over = 0, now
end
local next = count + tokens
if not limit or next <= limit then
  over = over + refill * tokens
  redis.call("HSET", KEYS[1], "count", text(next), "until", text(over))
  expire(over - now)
end
return {text(next), text((over - now) / 1000)}
`,
  decode: (reply) => {
    const [count, ttl] = listReply(fixedWindow.name, reply, 2)
    return [numberReply(fixedWindow.name, count), numberReply(fixedWindow.name, ttl)]
  }
}

/** Takes tokens; gives how many are left. Fewer than none, and no overflow: none were taken. */
export const tokenBucket: Script<BucketRequest, number> = {
  name: "experimental.tokenBucket",
  keys: (prefix, { key }) => [keyOf(prefix, key, "experimental:bucket")],
  args: ({ limit, overflow, refill, tokens }) => [tokens, micros(refill), limit, overflow ? 1 : 0].map(String),
  lua: `${prelude}
local tokens, refill, limit, overflow = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == "1"
local kept = redis.call("HMGET", KEYS[1], "tokens", "since")
local current, since = tonumber(kept[1]), tonumber(kept[2])
if not current or not since then
  current, since = limit, now
end
-- A clock that was set back has no time gone by.
local back = math.max(0, refill > 0 and math.floor((now - since) / refill) or limit)
if back > 0 then
  current = math.min(current + back, limit)
  since = since + back * refill
end
local next = current - tokens
if next >= 0 or overflow then current = next end
if current < limit then
  redis.call("HSET", KEYS[1], "tokens", text(current), "since", text(since))
  expire(since + (limit - current) * refill - now)
else
  redis.call("DEL", KEYS[1])
end
return text(next)
`,
  decode: (reply) => numberReply(tokenBucket.name, reply)
}
