/**
 * Leases that a Redis server keeps: one script decides about a request, by the server's clock.
 *
 * A name has one key, a hash. Of each holder it has a field: how many permits it has, with which token, and when its lease ends. `state` is what
 * holds for all: the limit, how many permits are held, the latest token (`fence`), the clock (`seen` and `shift`, see below), the time before which
 * no lease ends (`first`), and the time until which the key is kept at least (`kept`). It is kept at least half a day beyond the end of each lease.
 *
 * A lease that has ended is dropped by whoever asks for permits next. Nobody looks for such leases before `first`. Who looks then reads all holders,
 * and finds out when the next one ends; what is renewed meanwhile ends later. So that is done about once in the time of a lease, however many ask.
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
  keyOf(prefix, checkName("LeaseStore", "name", name), "leases")
]

/**
 * Reads what holds for all and the field of who asks. What is of another type, or somebody else's hash, fails here, before anything is written.
 * Fields are packed numbers, eight bytes each: as text, to read and to write them would take the server as long as all the rest. For the same
 * reason these parts are no functions of Lua.
 */
const read = `
local time = redis.call("TIME")
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local mine = ":" .. ARGV[1]
local fields = redis.call("HMGET", KEYS[1], "state", mine)
local limit, used, fence, seen, shift, first, kept = 0, 0, 0, 0, 0, 0, 0
if fields[1] and #fields[1] == 56 then
  limit, used, fence, seen, shift, first, kept = struct.unpack("<ddddddd", fields[1])
elseif fields[1] or redis.call("EXISTS", KEYS[1]) == 1 then
  return redis.error_reply("WRONGTYPE this hash has no leases")
end
local shifted = shift
${monotone}
local held, token, ends
if fields[2] and #fields[2] == 24 then held, token, ends = struct.unpack("<ddd", fields[2]) end
`

const state = `struct.pack("<ddddddd", limit, used, fence, seen, shift, first, kept)`

/** From now on who asks has what he holds for as long as `lease`. */
const write = `
ends = now + lease
-- What others hold may end before.
first = used == held and ends or math.min(first, ends)
local keep = kept < ends + 43200000
if keep then kept = ends + 86400000 end
redis.call("HSET", KEYS[1], "state", ${state}, mine, struct.pack("<ddd", held, token, ends))
if keep then
  redis.call("PEXPIRE", KEYS[1], string.format("%.0f", kept - now))
end
`

const acquireLua = `${read}
local permits, asked, lease = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local changed = false
if used > 0 and first <= now then
  local all = redis.call("HGETALL", KEYS[1])
  used, first, changed = 0, now + lease, true
  for i = 1, #all, 2 do
    -- That of a holder.
    if #all[i + 1] == 24 then
      local has, _, till = struct.unpack("<ddd", all[i + 1])
      if till > now then
        used = used + has
        first = math.min(first, till)
      else
        redis.call("HDEL", KEYS[1], all[i])
        if all[i] == mine then held = nil end
      end
    end
  end
end
if used == 0 then limit = asked end
if not held then
  if used + permits > limit then
    -- That the clock was set back is written also by who is refused: perhaps nobody else comes.
    if changed or shift > shifted then redis.call("HSET", KEYS[1], "state", ${state}) end
    return { 0, used > 0 and math.max(1, first - now) or lease, limit }
  end
  token = math.max(fence + 1, micros)
  fence = token
  held = permits
  used = used + permits
end
${write}
return { 1, token, limit }
`

const renewLua = `${read}
if not ends or ends <= now then return 0 end
-- A server without memory refuses what may take more, unless a script has written before. Nobody is to lose for that what he holds. (No field has no name.)
redis.call("HDEL", KEYS[1], "")
local lease = tonumber(ARGV[2])
${write}
return 1
`

const releaseLua = `${read}
if not ends then return { 0, 0 } end
used = math.max(0, used - held)
redis.call("HDEL", KEYS[1], mine)
redis.call("HSET", KEYS[1], "state", ${state})
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
