/**
 * Leases that a Redis server keeps: one script decides about a request, by the server's clock.
 *
 * A name has two keys. `leases:holders` is a sorted set: of each holder, when its lease ends. `leases:state` is a hash: the limit, how many
 * permits are held, the latest token (`fence`), and of each holder how many permits it has, and with which token. Both are set to expire a day
 * after the lease that was granted or renewed last; as no lease is longer than a day, none outlives them. If the server loses one of them, the
 * other one is of no use, and is dropped: then nobody holds anything.
 *
 * A lease that has ended is dropped by whoever asks next; that takes a step for each. What holds permits is never more than the limit, so a
 * request that finds nothing to drop takes the same time however many there are.
 *
 * **Tokens** are the server's time in microseconds, or one more than the latest, if that is larger. So they also grow when the server has lost its
 * data, as long as its clock does not go back beyond the latest token; and they are safe integers until the year 2255.
 *
 * A server's clock may be set back. Then no time has passed, and from there it goes on: otherwise the lease of a holder that died would last until
 * the old time is reached again. `shift` is by how much that was, `seen` the latest time that was written. (If it is set forward, leases end
 * early: nobody could tell. Then holders lose them, and the tokens protect the resource.)
 *
 * @internal
 */
import type { AcquireRequest, Answer, Holder, Released, RenewRequest } from "../lessor.js"
import { channelOf, checkName, flagReply, integerReply, keyOf, listReply, monotone, type Script } from "./script.js"

/** The channel on which those hear who wait for permits of a name. */
export const freedChannel = (prefix: string, name: string): string => channelOf(prefix, name, "leases:freed")

const keys = (prefix: string, { name }: { readonly name: string }): ReadonlyArray<string> => [
  keyOf(prefix, checkName("LeaseStore", "name", name), "leases:holders"),
  keyOf(prefix, name, "leases:state")
]

/** Reads both keys: one of another type fails here, before anything is written. */
const read = `
local time = redis.call("TIME")
local micros = time[1] * 1000000 + time[2]
local count = redis.call("ZCARD", KEYS[1])
local fields = redis.call("HMGET", KEYS[2], "limit", "used", "fence", "seen", "shift")
local limit, used, fence = tonumber(fields[1]), tonumber(fields[2]), tonumber(fields[3])
local seen, shift = tonumber(fields[4]), tonumber(fields[5])
local known = limit and used and fence and seen and shift
if not known then limit, used, fence, seen, shift = 0, 0, 0, 0, 0 end
local now = math.floor(micros / 1000)
${monotone}local function text(n) return string.format("%.0f", n) end
local function holding(id)
  local field = redis.call("HGET", KEYS[2], ":" .. id)
  if not field then return nil end
  local permits, token = string.match(field, "^(%d+) (%d+)$")
  return tonumber(permits), tonumber(token)
end
local function forget(id)
  used = math.max(0, used - (holding(id) or 0))
  redis.call("HDEL", KEYS[2], ":" .. id)
end
local function write()
  redis.call("HSET", KEYS[2],
    "limit", text(limit), "used", text(used), "fence", text(fence), "seen", text(now), "shift", text(shift))
end
local function keep(lease)
  redis.call("PEXPIRE", KEYS[1], text(lease + 86400000))
  redis.call("PEXPIRE", KEYS[2], text(lease + 86400000))
end
`

const acquireLua = `${read}
local id, permits, asked, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local changed = false
if not known and count > 0 then redis.call("DEL", KEYS[1]) end
if count == 0 and used > 0 then
  redis.call("DEL", KEYS[2])
  used = 0
end
local over = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", text(now))
for _, each in ipairs(over) do
  redis.call("ZREM", KEYS[1], each)
  forget(each)
  changed = true
end
if used == 0 then limit = asked end
local _, token = holding(id)
if not token then
  if used + permits > limit then
    if changed then write() end
    local first = redis.call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")
    return { 0, first[2] and math.max(1, tonumber(first[2]) - now) or lease, limit }
  end
  token = math.max(fence + 1, micros)
  fence = token
  used = used + permits
  redis.call("HSET", KEYS[2], ":" .. id, text(permits) .. " " .. text(token))
end
redis.call("ZADD", KEYS[1], text(now + lease), id)
write()
keep(lease)
return { 1, token, limit }
`

const renewLua = `${read}
local ends = known and tonumber(redis.call("ZSCORE", KEYS[1], ARGV[1]) or nil)
if not ends or ends <= now then return 0 end
local lease = tonumber(ARGV[2])
redis.call("ZADD", KEYS[1], text(now + lease), ARGV[1])
write()
keep(lease)
return 1
`

const releaseLua = `${read}
local ends = known and tonumber(redis.call("ZSCORE", KEYS[1], ARGV[1]) or nil)
if not ends then return { 0, 0 } end
redis.call("ZREM", KEYS[1], ARGV[1])
forget(ARGV[1])
write()
return { ends > now and 1 or 0, redis.call("PUBLISH", ARGV[2], "") }
`

/** One round trip: asks for permits. */
export const acquire: Script<AcquireRequest, Answer> = {
  name: "leases.acquire",
  lua: acquireLua,
  keys,
  args: ({ holder, lease, limit, permits }) => [holder, permits, limit, lease],
  decode: (reply) => {
    const name = "leases.acquire"
    const [granted, number, limit] = listReply(name, reply, 3)
    const answer = { limit: integerReply(name, limit) }
    return flagReply(name, granted)
      ? { kind: "granted", token: integerReply(name, number), ...answer }
      : { kind: "busy", retryAfter: integerReply(name, number), ...answer }
  }
}

export const renew: Script<RenewRequest, boolean> = {
  name: "leases.renew",
  lua: renewLua,
  keys,
  args: ({ holder, lease }) => [holder, lease],
  decode: (reply) => flagReply("leases.renew", reply)
}

/** One round trip: gives back, and tells those who watch. */
export const release = (prefix: string): Script<Holder, Released> => ({
  name: "leases.release",
  lua: releaseLua,
  keys,
  args: ({ holder, name }) => [holder, freedChannel(prefix, name)],
  decode: (reply) => {
    const name = "leases.release"
    const [held, watchers] = listReply(name, reply, 2)
    return { held: flagReply(name, held), watchers: integerReply(name, watchers) }
  }
})
