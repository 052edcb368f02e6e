/**
 * Rates that a Redis server keeps: one script decides about a question, by the server's clock.
 *
 * The arithmetic is that of a rate in memory (see `rate.ts`), in whole microseconds: so any rate is exact, whatever its interval is made of. Each
 * rate of a name has a key of its own: whoever asks with another rate has another count. A key that is not used any more expires.
 *
 * `gcra` keeps what the bucket has, and a few numbers by which a grant is known again. `slidingWindow` keeps what was taken when, as far as that is
 * in the window. Both are one value of packed numbers, eight bytes each: to read and to write them in fields or members of their own would take
 * the server as long as all the rest. It begins, or ends, with the name and the number of its format: a value that has another is left alone.
 *
 * A server's clock may be set back. Then no time has passed, and from there it goes on: otherwise nothing would come back until the old time is
 * reached again. `shift` is by how much that was, `seen` the latest time. (Set forward, it has gone on: nobody could tell.)
 *
 * @internal
 */
import type { Rate } from "../rate.js"
import { checkCost } from "../rate.js"
import type { Answer, StoreRequest, StoreReturn } from "../rateStore.js"
import { checkName, flagReply, integerReply, keyOf, listReply, monotone, type Script, wrongReply } from "./script.js"

/** By what a grant is known again: numbers that only the scripts of its algorithm understand. */
type Grant = ReadonlyArray<number>

const where = "RateLimiter.Store"

/** The part of a key that says which rate it is. */
const partOf = ({ algorithm, burst, interval, limit }: Rate): string =>
  `rate:${algorithm}:${limit}:${interval}${algorithm === "gcra" ? `:${burst}` : ""}`

const micros = (milliseconds: number): number => milliseconds * 1000

/** Of each answer: whether it is yes; how long until then, or until it could be; what remains; when all is back; and what its grant is. */
const decode = (name: string, size: number, reply: unknown): ReadonlyArray<Answer> => {
  const numbers = listReply(name, reply)
  if (numbers.length % size !== 0) throw wrongReply(name, `a list of answers of ${size} numbers`, reply)
  const at = (index: number): number => integerReply(name, numbers[index])
  const answers: Array<Answer> = []
  for (let i = 0; i < numbers.length; i += size) {
    const allowed = flagReply(name, numbers[i])
    const wait = at(i + 1) / 1000
    const grant: Array<number> = []
    for (let j = i + 4; j < i + size; j++) grant.push(at(j))
    answers.push({
      allowed,
      remaining: at(i + 2),
      retryAfter: allowed ? 0 : wait,
      resetAfter: at(i + 3) / 1000,
      delay: allowed ? wait : 0,
      grant: allowed ? grant : undefined
    })
  }
  return answers
}

const argsOf = (numbers: Array<number>, rate: StoreRequest): ReadonlyArray<number> => {
  const { ahead, asks } = rate
  numbers.push(Math.floor(micros(ahead)))
  for (const { cost, tries } of asks) numbers.push(checkCost(where, rate, cost), tries ? 1 : 0)
  return numbers
}

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
  if #text ~= 72 or string.sub(text, 1, 8) ~= "bucket/1" then return redis.error_reply("WRONGTYPE this is no rate") end
  base, count, total, at, till, born, seen, shift = struct.unpack("<dddddddd", text, 9)
end
local shifted = shift
${monotone}
`

const writeBucket = `
local state = "bucket/1" .. struct.pack("<dddddddd", base, count, total, at, till, born, seen, shift)
local rest = string.format("%.0f", math.ceil(math.max(0, count * interval / limit - (now - base)) / 1000) + 2)
redis.call("SET", KEYS[1], state, "PX", rest)
`

const takeFromBucket = `
local limit, interval, burst, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
${clock}${readBucket}
local answers, n, taken = {}, 0, false
for i = 5, #ARGV, 2 do
  local cost, tries = tonumber(ARGV[i]), ARGV[i + 1] == "1"
  -- It has been full for a while. When it is full just now the base stays: roundings would add up.
  local passed = now - base
  local isFull = count * interval / limit < passed
  local wait = math.max(0, isFull and (cost - burst) * interval / limit or (count + cost - burst) * interval / limit - passed)
  local delay = math.ceil(wait)
  local allowed = delay <= (tries and 0 or ahead)
  local before = total
  if allowed and cost > 0 then
    taken = true
    at = now + delay
    till = math.max(till, at)
    if count * interval / limit < at - base then
      base = at
      count = 0
      passed = now - base
    end
    count = count + cost
    total = total + cost
    isFull = count * interval / limit < passed
  end
  local left = burst
  if not isFull then
    left = math.max(0, math.min(burst, math.floor(passed * limit / interval) - count + burst))
    -- That divides where the decision multiplies, so it may be out by one.
    while left > 0 and (count + left - burst) * interval / limit > passed do left = left - 1 end
    while left < burst and (count + left + 1 - burst) * interval / limit <= passed do left = left + 1 end
  end
  local reset = math.ceil(math.max(0, count * interval / limit - passed))
  answers[n + 1], answers[n + 2], answers[n + 3], answers[n + 4] = allowed and 1 or 0, delay, left, reset
  answers[n + 5], answers[n + 6], answers[n + 7], answers[n + 8] = at, before, total, born
  n = n + 8
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
local function spent(units) return units * interval / limit end
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
 * The log is one string: entries of 16 bytes (when, and how much), the oldest first, and behind them what holds for all. So a question takes two
 * commands, however long the log: one reads the end, one writes a new end behind a new entry. What has left the window in front is cut off when it
 * is more than what is left.
 *
 * `used` is the sum of the entries; `latest` when the last of them was, or will be, taken, and 0 when there is none; none is older than `oldest`.
 * `kept`: until when the key is kept, which is an eighth of the window longer than it has to be; so it need not be said each time. The entries
 * before place `first` have left the window. There are `count` with them, and room for `spare` behind them, of which all was given back. `dropped`
 * were cut off: with them an entry has the same number for ever, which its grant knows.
 */
const readWindow = `
local text = redis.call("GETRANGE", KEYS[1], "-88", "-1")
local used, latest, oldest, kept, seen, shift, first, count, spare, dropped = 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
if text ~= "" then
  if string.sub(text, 1, 8) ~= "window/1" then return redis.error_reply("WRONGTYPE this is no rate") end
  used, latest, oldest, kept, seen, shift, first, count, spare, dropped = struct.unpack("<dddddddddd", text, 9)
end
-- What comes behind the log: how many entries, all but the last as they will be written, and the last.
local news, new, newAt, newCost = 0, "", 0, 0
local page, from, till = "", 0, 0
local function entryAt(place)
  if place == count + news - 1 and news > 0 then return newAt, newCost end
  if place >= count then return struct.unpack("<dd", new, (place - count) * 16 + 1) end
  if place < from or place >= till then
    from, till = place, math.min(place + 100, count)
    page = redis.call("GETRANGE", KEYS[1], from * 16, till * 16 - 1)
  end
  return struct.unpack("<dd", page, (place - from) * 16 + 1)
end
`

const writeWindow = `
local behind, rest = count * 16, count - first
local unused = spare > news and spare - news or 0
local cut = first + unused > 64 and first + unused > rest + news
count = count + news
spare = unused
if cut then
  if rest > 0 then new = redis.call("GETRANGE", KEYS[1], first * 16, behind - 1) .. new end
  first, count, spare, dropped = 0, count - first, 0, dropped + first
end
if news > 0 then new = new .. struct.pack("<dd", newAt, newCost) end
local ends = struct.pack("<c8dddddddddd", "window/1", used, latest, oldest, kept, seen, shift, first, count, spare, dropped)
if cut then
  redis.call("SET", KEYS[1], new .. ends, "KEEPTTL")
elseif spare == 0 then
  redis.call("SETRANGE", KEYS[1], behind, new .. ends)
else
  if news > 0 then redis.call("SETRANGE", KEYS[1], behind, new) end
  redis.call("SETRANGE", KEYS[1], (count + spare) * 16, ends)
end
`

const takeFromWindow = `
local limit, interval, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
${clock}${readWindow}
if text == "" then seen = now end
local shifted = shift
${monotone}
local passed = used > 0 and oldest <= now - interval
if passed and latest <= now - interval then
  used, latest, first = 0, 0, count
elseif passed then
  local at, cost = entryAt(first)
  while at <= now - interval do
    used = used - cost
    first = first + 1
    at, cost = entryAt(first)
  end
  oldest = at
end
-- The first entry that need not have gone for what is granted already, and what those before it have.
local place, freed = first, 0
local answers, n = {}, 0
for i = 4, #ARGV, 2 do
  local cost, tries = tonumber(ARGV[i]), ARGV[i + 1] == "1"
  local at = latest > now and latest or now
  if used > limit then
    local _, has = entryAt(place)
    while freed + has <= used - limit do
      freed = freed + has
      place = place + 1
      _, has = entryAt(place)
    end
  end
  -- So much has to leave the window.
  local index, missing = place, used + cost - limit - freed
  while missing > 0 do
    local since, has = entryAt(index)
    missing = missing - has
    at = math.max(at, since + interval)
    index = index + 1
  end
  local delay = at - now
  local allowed = delay <= (tries and 0 or ahead)
  if allowed and cost > 0 then
    if news > 0 and newAt == at then
      newCost = newCost + cost
    else
      if news > 0 then new = new .. struct.pack("<dd", newAt, newCost) end
      news, newAt, newCost = news + 1, at, cost
    end
    if used == 0 then oldest = at end
    used = used + cost
    latest = at
  end
  answers[n + 1], answers[n + 2], answers[n + 3] = allowed and 1 or 0, delay, latest > now and 0 or limit - used
  answers[n + 4] = latest > 0 and latest + interval - now or 0
  answers[n + 5], answers[n + 6] = at, dropped + count + news - 1
  n = n + 6
  if not allowed and not tries then break end
end
-- That the clock was set back is written also when nothing is taken: or each who asks would find the old time again, and nothing would come back.
if used > 0 and (passed or news > 0 or shift > shifted) then
  local keep = kept < latest + interval
  if keep then kept = latest + interval + math.floor(interval / 8) end
  ${writeWindow}
  if keep then
    redis.call("PEXPIRE", KEYS[1], string.format("%.0f", math.ceil((kept - now) / 1000) + 2))
  end
elseif passed then
  redis.call("DEL", KEYS[1])
end
return answers
`

const giveBackToWindow = `
${readWindow}
local changed = 0
for i = 1, #ARGV, 3 do
  local cost, grantedAt, place = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]) - dropped
  if place >= first and place < count then
    local at, had = entryAt(place)
    if at == grantedAt then
      local left = math.max(0, had - cost)
      redis.call("SETRANGE", KEYS[1], place * 16, struct.pack("<dd", at, left))
      page, from, till = "", 0, 0
      used = used - had + left
      changed = 1
    end
  end
end
if changed == 1 then
  -- So that the last entry is the latest.
  latest = 0
  while count > first and latest == 0 do
    local at, cost = entryAt(count - 1)
    if cost > 0 then
      latest = at
    else
      count = count - 1
      spare = spare + 1
    end
  end
  ${writeWindow}
end
return changed
`

const keys = (prefix: string, rate: Rate & { readonly key: string }): ReadonlyArray<string> => [
  keyOf(prefix, checkName(where, "key", rate.key), partOf(rate))
]

interface Rates {
  readonly take: Script<StoreRequest, ReadonlyArray<Answer>>
  readonly giveBack: Script<StoreReturn, boolean>
}

const gcra: Rates = {
  take: {
    name: "rates.gcra",
    lua: takeFromBucket,
    keys,
    args: (request) => argsOf([request.limit, micros(request.interval), request.burst], request),
    decode: (reply) => decode("rates.gcra", 8, reply)
  },
  giveBack: {
    name: "rates.gcra.giveBack",
    lua: giveBackToBucket,
    keys,
    args: (request) => [request.limit, micros(request.interval), ...grantsOf(request)],
    decode: (reply) => flagReply("rates.gcra.giveBack", reply)
  }
}

const slidingWindow: Rates = {
  take: {
    name: "rates.slidingWindow",
    lua: takeFromWindow,
    keys,
    // The window is never shorter than it has to be.
    args: (request) => argsOf([request.limit, Math.ceil(micros(request.interval))], request),
    decode: (reply) => decode("rates.slidingWindow", 6, reply)
  },
  giveBack: {
    name: "rates.slidingWindow.giveBack",
    lua: giveBackToWindow,
    keys,
    args: grantsOf,
    decode: (reply) => flagReply("rates.slidingWindow.giveBack", reply)
  }
}

/** The scripts of an algorithm. */
export const scriptsOf = ({ algorithm }: Rate): Rates => (algorithm === "gcra" ? gcra : slidingWindow)
