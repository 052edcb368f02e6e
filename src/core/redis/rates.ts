/**
 * Rates that a Redis server keeps: one script decides about a question, by the server's clock.
 *
 * The arithmetic is that of a rate in memory (see `rate.ts`), in whole microseconds: so any rate is exact, whatever its interval is made of. Each
 * rate of a name has keys of its own: whoever asks with another rate has another count. A key that is not used any more expires.
 *
 * `gcra` keeps what the bucket has, and a few numbers by which a grant is known again. `slidingWindow` keeps what was taken when, as far as that is
 * in the window, and the sum of it. If the server loses the sum it is counted again, and if it loses the log nothing was taken. A few numbers are
 * one value, eight bytes each: to read and to write them in fields of their own would take the server as long as all the rest.
 *
 * A server's clock may be set back. Then no time has passed, and from there it goes on: otherwise nothing would come back until the old time is
 * reached again. `shift` is by how much that was, `seen` the latest time. (Set forward, it has gone on: nobody could tell.)
 *
 * @internal
 */
import type { Rate } from "../rate.js"
import { checkCost } from "../rate.js"
import type { Answer, StoreRequest, StoreReturn } from "../rateStore.js"
import { checkName, flagReply, integerReply, keyOf, listReply, monotone, type Script } from "./script.js"

/** By what a grant is known again: numbers that only the scripts of its algorithm understand. */
type Grant = ReadonlyArray<number>

const where = "RateLimiter.Store"

/** Refuses what no script could make sense of. */
export const checkRequest = (request: StoreRequest): StoreRequest => {
  checkName(where, "key", request.key)
  for (const { cost } of request.asks) checkCost(where, request, cost)
  return request
}

/** The part of a key that says which rate it is. */
const partOf = ({ algorithm, burst, interval, limit }: Rate): string =>
  `rate:${algorithm}:${limit}:${interval}${algorithm === "gcra" ? `:${burst}` : ""}`

const micros = (milliseconds: number): number => milliseconds * 1000

const decodeOne = (name: string, reply: unknown): Answer => {
  const [yes, ...numbers] = listReply(name, reply)
  const allowed = flagReply(name, yes)
  const [remaining, retryAfter, resetAfter, delay, ...grant] = numbers.map((number) => integerReply(name, number))
  return {
    allowed,
    remaining: integerReply(name, remaining),
    retryAfter: integerReply(name, retryAfter) / 1000,
    resetAfter: integerReply(name, resetAfter) / 1000,
    delay: integerReply(name, delay) / 1000,
    grant: allowed ? grant : undefined
  }
}

const decode = (name: string, reply: unknown): ReadonlyArray<Answer> =>
  listReply(name, reply).map((answer) => decodeOne(name, answer))

const asksOf = ({ ahead, asks }: StoreRequest): ReadonlyArray<number> => [
  Math.floor(micros(ahead)),
  ...asks.flatMap(({ cost, tries }) => [cost, tries ? 1 : 0])
]

const grantsOf = ({ grants }: StoreReturn): ReadonlyArray<number> =>
  grants.flatMap(({ cost, grant }) => [cost, ...(grant as Grant)])

/** The server's clock, in microseconds. */
const clock = `
local time = redis.call("TIME")
local now = time[1] * 1000000 + time[2]
`

const readBucket = `
local text = redis.call("GET", KEYS[1])
local base, count, total, at, till, born, seen, shift = now, 0, 0, now, now, now, now, 0
if text then
  if #text ~= 64 then return redis.error_reply("WRONGTYPE this is no rate") end
  base, count, total, at, till, born, seen, shift = struct.unpack("<dddddddd", text)
end
local shifted = shift
${monotone}
local function spent(units) return units * interval / limit end
`

const writeBucket = `
local state = struct.pack("<dddddddd", base, count, total, at, till, born, seen, shift)
local rest = string.format("%.0f", math.ceil(math.max(0, spent(count) - (now - base)) / 1000) + 2)
redis.call("SET", KEYS[1], state, "PX", rest)
`

const takeFromBucket = `
local limit, interval, burst, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
${clock}${readBucket}
-- It has been full for a while. When it is full just now the base stays: roundings would add up.
local function isFull(time) return spent(count) < time - base end
local function wait(units)
  if isFull(now) then return spent(math.max(0, units - burst)) end
  return math.max(0, spent(count + units - burst) - (now - base))
end
local function remaining()
  if isFull(now) then return burst end
  local units = math.max(0, math.min(burst, math.floor((now - base) * limit / interval) - count + burst))
  -- That divides where the decision multiplies, so it may be out by one.
  while units > 0 and wait(units) > 0 do units = units - 1 end
  while units < burst and wait(units + 1) <= 0 do units = units + 1 end
  return units
end
local answers, taken = {}, false
for i = 5, #ARGV, 2 do
  local cost, tries = tonumber(ARGV[i]), ARGV[i + 1] == "1"
  local delay = math.ceil(wait(cost))
  local allowed = delay <= (tries and 0 or ahead)
  local before = total
  if allowed and cost > 0 then
    taken = true
    at = now + delay
    till = math.max(till, at)
    if isFull(at) then
      base = at
      count = 0
    end
    count = count + cost
    total = total + cost
  end
  local reset = math.ceil(math.max(0, spent(count) - (now - base)))
  answers[#answers + 1] = {
    allowed and 1 or 0, remaining(), allowed and 0 or delay, reset, allowed and delay or 0, at, before, total, born
  }
  if not allowed and not tries then break end
end
-- That the clock was set back is written also when nothing is taken: or each who asks would find the old time again, and nothing would come back.
if taken or shift > shifted then
  ${writeBucket}
end
return answers
`

// As in memory: what was taken later than the grant might have found the bucket full without it; at worst all of that was taken at the latest time.
const giveBackToBucket = `
local limit, interval = tonumber(ARGV[1]), tonumber(ARGV[2])
${clock}${readBucket}
local changed = 0
for i = 3, #ARGV, 5 do
  local cost, grantedAt = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local before, grantedTotal = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  if born == tonumber(ARGV[i + 4]) then
    local later = at == grantedAt and 0 or total - grantedTotal
    local from = later == 0 and now or math.max(now, till)
    local least = from - base + spent(later)
    if spent(count - cost) >= least then
      count = count - cost
      changed = 1
    elseif spent(count) > least then
      base = from
      count = later
      changed = 1
    end
    -- It was the latest, and all of it is undone: so the one before is the latest again.
    if total == grantedTotal and grantedTotal - before == cost then
      total = before
      changed = 1
    end
  end
end
if changed == 1 then
  ${writeBucket}
end
return changed
`

/**
 * `latest`: when the last of what is in the log was, or will be, taken. `kept`: until when the log is kept, which is an eighth of the window longer
 * than it has to be; so it need not be said each time. Both are 0 when there is none.
 */
const readWindow = `
local text = redis.call("GET", KEYS[2])
local used, id, seen, shift, latest, kept = nil, 0, 0, 0, 0, 0
if text then
  if #text ~= 48 then return redis.error_reply("WRONGTYPE this is no rate") end
  used, id, seen, shift, latest, kept = struct.unpack("<dddddd", text)
end
local function state() return struct.pack("<dddddd", used, id, seen, shift, latest, kept) end
local function costOf(entry) return tonumber(string.sub(entry, 18)) end
local function entryOf(id, cost) return string.format("%016.0f:%.0f", id, cost) end
-- No entry may have the name of another: that would be the same one.
local function findLatest()
  local tail = redis.call("ZRANGE", KEYS[1], -1, -1, "WITHSCORES")
  latest = tonumber(tail[2] or 0)
  id = math.max(id, tonumber(string.sub(tail[1] or "0", 1, 16)))
end
local function sum(entries)
  local all = 0
  for _, entry in ipairs(entries) do all = all + costOf(entry) end
  return all
end
`

const takeFromWindow = `
local limit, interval, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
${clock}${readWindow}
if not text then seen = now end
local shifted = shift
${monotone}
local before = now - interval
local head = redis.call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")
if head[1] and not used then findLatest() end
local passed = head[1] and tonumber(head[2]) <= before
if passed and latest <= before then
  redis.call("DEL", KEYS[1])
  used = 0
elseif not head[1] then
  used = 0
elseif not used then
  used = sum(redis.call("ZRANGE", KEYS[1], 0, -1))
end
if used == 0 then latest, kept = 0, 0 end
if passed and used > 0 then
  local till = string.format("%.0f", before)
  used = used - sum(redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", till))
  redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", till)
end
-- What is in the log, the oldest first, as far as somebody has to know; and what comes behind that now.
local old, new, size = {}, {}, nil
local function entryAt(index)
  size = size or redis.call("ZCARD", KEYS[1])
  if index > size then return new[index - size] end
  while #old < index do
    local from = #old
    local entries = redis.call("ZRANGE", KEYS[1], from, from + 99, "WITHSCORES")
    if #entries == 0 then return nil end
    for i = 1, #entries, 2 do old[#old + 1] = { at = tonumber(entries[i + 1]), cost = costOf(entries[i]) } end
  end
  return old[index]
end
-- The first entry that need not have gone for what is granted already, and what those before it have.
local first, freed = 1, 0
local answers = {}
for i = 4, #ARGV, 2 do
  local cost, tries = tonumber(ARGV[i]), ARGV[i + 1] == "1"
  local at = math.max(now, latest)
  if used > limit then
    local entry = entryAt(first)
    while freed + entry.cost <= used - limit do
      freed = freed + entry.cost
      first = first + 1
      entry = entryAt(first)
    end
  end
  -- So much has to leave the window.
  local index, missing = first, used + cost - limit - freed
  while missing > 0 do
    local entry = entryAt(index)
    missing = missing - entry.cost
    at = math.max(at, entry.at + interval)
    index = index + 1
  end
  local delay = at - now
  local allowed = delay <= (tries and 0 or ahead)
  if allowed and cost > 0 then
    local last = new[#new]
    if last == nil or last.at < at then
      id = id + 1
      last = { at = at, cost = 0, id = id }
      new[#new + 1] = last
    end
    last.cost = last.cost + cost
    used = used + cost
    latest = at
  end
  local left = latest > now and 0 or limit - used
  local reset = latest > 0 and latest + interval - now or 0
  answers[#answers + 1] = { allowed and 1 or 0, left, allowed and 0 or delay, reset, allowed and delay or 0, at, id }
  if not allowed and not tries then break end
end
for _, entry in ipairs(new) do
  redis.call("ZADD", KEYS[1], string.format("%.0f", entry.at), entryOf(entry.id, entry.cost))
end
-- That the clock was set back is written also when nothing is taken: or each who asks would find the old time again, and nothing would come back.
if latest > 0 and (passed or #new > 0 or shift > shifted) then
  local ends = latest + interval
  if kept < ends then
    kept = ends + math.floor(interval / 8)
    redis.call("PEXPIRE", KEYS[1], string.format("%.0f", math.ceil((kept - now) / 1000) + 2))
  end
  local rest = string.format("%.0f", math.ceil((ends - now) / 1000) + 2)
  redis.call("SET", KEYS[2], state(), "PX", rest)
elseif passed then
  redis.call("DEL", KEYS[2])
end
return answers
`

const giveBackToWindow = `
${readWindow}
local changed = 0
for i = 1, #ARGV, 3 do
  local cost, grantedAt, grantedId = tonumber(ARGV[i]), ARGV[i + 1], tonumber(ARGV[i + 2])
  for _, entry in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1], grantedAt, grantedAt)) do
    local had = costOf(entry)
    if entry == entryOf(grantedId, had) then
      local left = math.max(0, had - cost)
      redis.call("ZREM", KEYS[1], entry)
      if left > 0 then redis.call("ZADD", KEYS[1], grantedAt, entryOf(grantedId, left)) end
      used = used and used - had + left
      changed = 1
    end
  end
end
-- Whoever finds no sum adds it up.
if changed == 1 and used then
  findLatest()
  redis.call("SET", KEYS[2], state(), "KEEPTTL")
end
return changed
`

const bucketKeys = (prefix: string, rate: Rate & { readonly key: string }): ReadonlyArray<string> => [
  keyOf(prefix, rate.key, partOf(rate))
]

const windowKeys = (prefix: string, rate: Rate & { readonly key: string }): ReadonlyArray<string> => [
  keyOf(prefix, rate.key, partOf(rate)),
  keyOf(prefix, rate.key, `${partOf(rate)}:sum`)
]

interface Rates {
  readonly take: Script<StoreRequest, ReadonlyArray<Answer>>
  readonly giveBack: Script<StoreReturn, boolean>
}

const gcra: Rates = {
  take: {
    name: "rates.gcra",
    lua: takeFromBucket,
    keys: bucketKeys,
    args: (request) => [request.limit, micros(request.interval), request.burst, ...asksOf(request)],
    decode: (reply) => decode("rates.gcra", reply)
  },
  giveBack: {
    name: "rates.gcra.giveBack",
    lua: giveBackToBucket,
    keys: bucketKeys,
    args: (request) => [request.limit, micros(request.interval), ...grantsOf(request)],
    decode: (reply) => flagReply("rates.gcra.giveBack", reply)
  }
}

const slidingWindow: Rates = {
  take: {
    name: "rates.slidingWindow",
    lua: takeFromWindow,
    keys: windowKeys,
    // The window is never shorter than it has to be.
    args: (request) => [request.limit, Math.ceil(micros(request.interval)), ...asksOf(request)],
    decode: (reply) => decode("rates.slidingWindow", reply)
  },
  giveBack: {
    name: "rates.slidingWindow.giveBack",
    lua: giveBackToWindow,
    keys: windowKeys,
    args: grantsOf,
    decode: (reply) => flagReply("rates.slidingWindow.giveBack", reply)
  }
}

/** The scripts of an algorithm. */
export const scriptsOf = ({ algorithm }: Rate): Rates => (algorithm === "gcra" ? gcra : slidingWindow)
