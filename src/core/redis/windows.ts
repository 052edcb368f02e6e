/**
 * The counts of `@effect/experimental`'s rate limiter on a Redis server: one script each, by the server's clock, in microseconds.
 *
 * A window of fixed length: how many tokens were taken, and when it is over. Each token that is taken makes it longer by the time in which
 * one comes back, so that the limiter can tell the window from the count. A bucket: how many tokens are in it, and since when. It is
 * refilled by whole tokens, and is forgotten when it would be full.
 *
 * Each is a hash of two numbers and the clock (`seen`, `shift`); one that has not all of them is somebody else's, and left alone. A server's clock that
 * is set back goes on from the latest time that was written, as with the leases: otherwise a window would not be over, and no token would come back,
 * until the old time is reached. Whoever asks writes it, also when he is refused, if it was set back.
 *
 * @internal
 */
import { keyOf, listReply, monotone, numberReply, type Script } from "./script.js"

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

/** Reads a hash, of which two fields are its own. No key is kept for longer than a hundred years. */
const prelude = (...own: readonly [string, string]): string => `
local time = redis.call("TIME")
local now = time[1] * 1000000 + time[2]
local kept = redis.call("HMGET", KEYS[1], "${own[0]}", "${own[1]}", "seen", "shift")
for i = 1, 4 do kept[i] = tonumber(kept[i] or "") end
local isNew = not (kept[1] and kept[2] and kept[3] and kept[4])
if isNew and redis.call("EXISTS", KEYS[1]) == 1 then return redis.error_reply("WRONGTYPE this hash has no count") end
local seen, shift = 0, 0
if not isNew then seen, shift = kept[3], kept[4] end
local shifted = shift
${monotone}local function text(n) return string.format("%.17g", n) end
local function write(...) redis.call("HSET", KEYS[1], "seen", text(seen), "shift", text(shift), ...) end
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
  lua: `${prelude("count", "until")}
local tokens, refill, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local count, over = kept[1], kept[2]
if isNew or over <= now then
  count, over = 0, now
end
local next = count + tokens
if not limit or next <= limit then
  over = over + refill * tokens
  write("count", text(next), "until", text(over))
  expire(over - now)
elseif shift > shifted then
  write()
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
  lua: `${prelude("tokens", "since")}
local tokens, refill, limit, overflow = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == "1"
local current, since = kept[1], kept[2]
if isNew then
  current, since = limit, now
end
local back = math.max(0, refill > 0 and math.floor((now - since) / refill) or limit)
if back > 0 then
  current = math.min(current + back, limit)
  since = since + back * refill
end
local next = current - tokens
if next >= 0 or overflow then current = next end
if current < limit then
  write("tokens", text(current), "since", text(since))
  expire(since + (limit - current) * refill - now)
else
  redis.call("DEL", KEYS[1])
end
return text(next)
`,
  decode: (reply) => numberReply(tokenBucket.name, reply)
}
