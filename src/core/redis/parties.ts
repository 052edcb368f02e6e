/**
 * Barriers that a Redis server keeps: one script decides about a request, by the server's clock.
 *
 * A name has three keys. `parties:state` is a hash: how many parties there are, the number of the generation, the indices of those who withdrew
 * (`free`), whether the barrier is broken; and of each party (`:id`) its index and its lease. For an index, `-1` says that its generation was broken,
 * `-2` that it was withdrawn, and `-3` that it was withdrawn before it arrived, to break the barrier when it does. `parties:waiting` is a sorted set: of each party that waits, when its lease ends. `parties:past` is one, too: of
 * each party that something has become of, until when that is remembered: for twice its lease.
 *
 * All expire: those of a barrier that is broken a day after that, of any other a minute after nothing need be remembered any more.
 *
 * That a lease has ended is found by whoever asks next, which those who wait do all the time. An arrival takes the same time however many wait; the
 * last one, and whatever breaks the barrier, a step for each.
 *
 * The number of a generation is the server's time in microseconds, or one more than the latest. A server's clock that is set back stands still
 * until the old time is reached (`seen`, `shift`): see the leases.
 *
 * What somebody else keeps under one of the keys is left alone: a hash that has not all of those numbers, and a sorted set whose first score is no time of
 * this century in milliseconds. If only the hash was lost, whoever waited is forgotten.
 *
 * @internal
 */
import type { ArriveRequest, PartyRequest, WithdrawRequest } from "../parties.js"
import type { Answer } from "../party.js"
import {
  channelOf,
  checkName,
  flagReply,
  integerReply,
  keyOf,
  listReply,
  monotone,
  numberReply,
  type Script,
  wrongReply
} from "./script.js"

/** The channel on which those hear who wait at a barrier. */
export const changedChannel = (prefix: string, name: string): string => channelOf(prefix, name, "parties:changed")

const keysOf = (prefix: string, name: string): ReadonlyArray<string> => {
  checkName("PartyStore", "name", name)
  return ["state", "waiting", "past"].map((part) => keyOf(prefix, name, `parties:${part}`))
}

const keys = (prefix: string, { name }: { readonly name: string }): ReadonlyArray<string> => keysOf(prefix, name)

/** Reads all keys: one of another type fails here, before anything is written. Then it forgets what is over, and finds whose lease has ended. */
const read = `
local channel, id, lease = ARGV[1], ARGV[2], tonumber(ARGV[3] or "0")
local time = redis.call("TIME")
local micros = time[1] * 1000000 + time[2]
local fields = redis.call("HMGET", KEYS[1], "parties", "generation", "broken", "seen", "shift", "free")
local parties, generation, broken = tonumber(fields[1]), tonumber(fields[2]), tonumber(fields[3])
local seen, shift = tonumber(fields[4]), tonumber(fields[5])
local free = fields[6] or ""
local known = parties and generation and broken and seen and shift
local function firstOf(key)
  return tonumber(redis.call("ZRANGE", key, "0", "0", "WITHSCORES")[2])
end
local function isTime(score) return not score or score >= 1000000000000 and score < 1000000000000000 end
local firstEnd, firstPast = firstOf(KEYS[2]), firstOf(KEYS[3])
local isOurs = isTime(firstEnd) and isTime(firstPast) and (known or redis.call("EXISTS", KEYS[1]) == 0)
if not isOurs then return redis.error_reply("WRONGTYPE these are no parties") end
local changed = false
if not known then
  parties, generation, broken, seen, shift = 1, 0, 0, 0, 0
  redis.call("DEL", KEYS[2], KEYS[3])
  firstEnd, firstPast = nil, nil
end
local now = math.floor(micros / 1000)
local shifted = shift
${monotone}local function text(n) return string.format("%.0f", n) end
local function party(who)
  local field = redis.call("HGET", KEYS[1], ":" .. who)
  if not field then return nil end
  local index, its = string.match(field, "^(%-?%d+) (%d+)$")
  return index, tonumber(its)
end
local function note(who, index, its)
  redis.call("HSET", KEYS[1], ":" .. who, index .. " " .. text(its))
  changed = true
end
local function remember(who, index, its)
  note(who, index, its)
  redis.call("ZADD", KEYS[3], text(now + 2 * its), who)
end
local function finish(outcome)
  for _, each in ipairs(redis.call("ZRANGE", KEYS[2], 0, -1)) do
    local index, its = party(each)
    if index then remember(each, outcome or index, its) end
  end
  redis.call("DEL", KEYS[2])
  free = ""
  redis.call("PUBLISH", channel, "")
  changed = true
end
local function breaks()
  broken = 1
  finish("-1")
end
local function save()
  -- That the clock was set back is written also by who only asks: perhaps nobody else comes.
  if not changed and shift == shifted then return end
  redis.call("HSET", KEYS[1], "parties", text(parties), "generation", text(generation), "broken", text(broken),
    "free", free, "seen", text(now), "shift", text(shift))
  local wanted = 2 * lease + (broken == 1 and 86400000 or 60000)
  wanted = text(math.max(wanted, redis.call("PTTL", KEYS[1])))
  for _, key in ipairs(KEYS) do redis.call("PEXPIRE", key, wanted) end
end
local function answer()
  local index = party(id)
  if index and redis.call("ZSCORE", KEYS[2], id) then
    redis.call("ZADD", KEYS[2], text(now + lease), id)
    note(id, index, lease)
    return { 0, parties, text(generation) }
  end
  if not index or index == "-2" or index == "-3" or not redis.call("ZSCORE", KEYS[3], id) then return { 3, 0, "0" } end
  if index == "-1" then return { 2, parties, "0" } end
  return { 1, parties, index }
end
if firstPast and firstPast <= now then
  for _, each in ipairs(redis.call("ZRANGEBYSCORE", KEYS[3], "-inf", text(now), "LIMIT", 0, 1000)) do
    redis.call("ZREM", KEYS[3], each)
    redis.call("HDEL", KEYS[1], ":" .. each)
  end
end
if firstEnd and firstEnd <= now then breaks() end
`

const arriveLua = `${read}
local index = party(id)
local isLate = index == "-3"
if isLate or not index then
  local waiting = redis.call("ZCARD", KEYS[2])
  if waiting == 0 then
    parties = tonumber(ARGV[4])
    generation = math.max(generation + 1, micros)
    free = ""
  end
  if isLate then
    -- Whoever withdrew to break the barrier, and was faster than its arrival, does so now.
    remember(id, "-1", lease)
    if broken == 0 then breaks() end
  end
  if broken == 1 then
    save()
    return { 2, parties, "0" }
  end
  for each in string.gmatch(free, "%d+") do
    if not index or tonumber(each) < tonumber(index) then index = each end
  end
  if index then free = string.gsub(free, "<" .. index .. ">", "", 1) end
  note(id, index or text(waiting), lease)
  redis.call("ZADD", KEYS[2], text(now + lease), id)
  if waiting + 1 == parties then finish() end
end
local result = answer()
save()
return result
`

const renewLua = `${read}
local result = answer()
save()
return result
`

const withdrawLua = `${read}
local index = party(id)
local waits = redis.call("ZSCORE", KEYS[2], id)
if waits and ARGV[4] == "1" then
  breaks()
elseif waits or not index then
  if waits then
    redis.call("ZREM", KEYS[2], id)
    free = free .. "<" .. index .. ">"
  end
  remember(id, ARGV[4] == "1" and "-3" or "-2", lease)
end
save()
return 1
`

const resetLua = `${read}
finish("-1")
broken = 0
save()
return 1
`

const abortLua = `${read}
breaks()
save()
return 1
`

const isBrokenLua = `${read}
save()
return broken
`

const decode =
  (name: string) =>
  (reply: unknown): Answer => {
    const [kind, parties, value] = listReply(name, reply, 3)
    const known = { parties: integerReply(name, parties) }
    const number = numberReply(name, value)
    if (kind === 0) return { kind: "waiting", generation: number, ...known }
    if (kind === 1) return { kind: "passed", index: number, ...known }
    if (kind === 2) return { kind: "broken", ...known }
    if (kind === 3) return { kind: "unknown" }
    throw wrongReply(name, "an answer", reply)
  }

const done =
  (name: string) =>
  (reply: unknown): void => {
    if (reply !== 1) throw wrongReply(name, "1", reply)
  }

/** One round trip each, under a prefix. */
export interface Scripts {
  readonly arrive: Script<ArriveRequest, Answer>
  readonly renew: Script<PartyRequest, Answer>
  readonly withdraw: Script<WithdrawRequest, void>
  readonly reset: Script<string, void>
  readonly abort: Script<string, void>
  readonly isBroken: Script<string, boolean>
}

/** Whoever finds that a lease has ended tells the others: each script has the channel. */
export const scripts = (prefix: string): Scripts => {
  const channel = (name: string) => changedChannel(prefix, name)
  const ofName = { keys: keysOf, args: (name: string) => [channel(name)] }
  return {
    arrive: {
      name: "parties.arrive",
      lua: arriveLua,
      keys,
      args: ({ lease, name, parties, party }) => [channel(name), party, lease, parties],
      decode: decode("parties.arrive")
    },
    renew: {
      name: "parties.renew",
      lua: renewLua,
      keys,
      args: ({ lease, name, party }) => [channel(name), party, lease],
      decode: decode("parties.renew")
    },
    withdraw: {
      name: "parties.withdraw",
      lua: withdrawLua,
      keys,
      args: ({ breaks, lease, name, party }) => [channel(name), party, lease, breaks ? 1 : 0],
      decode: done("parties.withdraw")
    },
    reset: { name: "parties.reset", lua: resetLua, ...ofName, decode: done("parties.reset") },
    abort: { name: "parties.abort", lua: abortLua, ...ofName, decode: done("parties.abort") },
    isBroken: {
      name: "parties.isBroken",
      lua: isBrokenLua,
      ...ofName,
      decode: (reply) => flagReply("parties.isBroken", reply)
    }
  }
}
