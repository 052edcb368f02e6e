/**
 * Deliveries on a Redis server.
 *
 * Of each queue: `ready`, the ids of those items that can be taken, by their place; `items`, what they are; `meta`, the place of each and
 * how many of its attempts have failed; `leased`, the names of deliveries by the end of their leases; `names`, of which item each is;
 * `delayed`, ids by when they come back; `dead`, ids by when they died, and `reasons`, why; `done`, chosen ids that are still known, by
 * until when; `state`, the latest place, the latest token, and the clock.
 *
 * Places and tokens are at least the time of day in microseconds. So `state` may be forgotten: half a day, or a day, after the last time that is kept
 * anywhere, the end of a lease or of a delay.
 *
 * A server's clock that is set back stands still until the old time is reached, as with the leases: otherwise the lease of a consumer that died, or a
 * delay, would last until then. `seen`, `shift` and `kept`, until when `state` is kept, are one field. It is written with every time that is kept, and
 * when the clock is found to be set back: no question costs the server a command more for it.
 *
 * An id is kept with a letter before it: `n` if a caller chose it, `g` if not. Whatever holds no item is no key: a queue that is empty
 * leaves nothing behind that does not expire.
 *
 * What somebody else keeps under one of the keys is left alone. So the first of each sorted set that a script touches is looked at before anything is written: an id has
 * its letter, and a score is a time of this century, in the unit of that set (the server's clock has to be set as far as that). `state` has the
 * clock, or is not there. The hashes are not told apart; but in them no field is read or written that is not of an id or a delivery of the queue.
 *
 * @internal
 */
import type {
  Counts,
  DeadLetter,
  DeadRequest,
  ExchangeAnswer,
  ExchangeRequest,
  Given,
  OfferRequest,
  Outcome,
  Settled
} from "../deliveries.js"
import { leaseEnded } from "../deliveries.js"
import type { Script } from "./script.js"
import { channelOf, integerReply, keyOf, listReply, monotone, numberReply, textReply, wrongReply } from "./script.js"

const parts = ["ready", "items", "meta", "leased", "names", "delayed", "dead", "reasons", "done", "state"] as const

/** All keys of a queue. Each script has all of them, in this order. */
const keys = (prefix: string, { name }: { readonly name: string }): ReadonlyArray<string> =>
  parts.map((part) => keyOf(prefix, name, `queue:${part}`))

/** Where a queue tells its changes. */
export const channel = (prefix: string, name: string): string => channelOf(prefix, name, "queue:changes")

/**
 * What all scripts begin with. The first of a set says what a command more would: whether there is any, and whether one is due. A queue that has no
 * `state` has nothing under its keys, so all are looked at; of one that has, `looks` says which are besides `ready`, `items` and `meta`.
 */
const first = (looks: string): string => `
local ready, items, meta, leased, names, delayed, dead, reasons, done, state = unpack(KEYS)
local isOurs = true
local function firstOf(key, form, unit)
  local head = redis.call("ZRANGE", key, "0", "0", "WITHSCORES")
  local score = tonumber(head[2])
  if score and not (string.find(head[1], form) and score >= unit and score < unit * 1000) then isOurs = false end
  return score
end
local ms, micros = 1000000000000, 1000000000000000
local firstReady, firstLeased, firstDelayed = firstOf(ready, "^[ng]", micros)
local function lookAtHands()
  firstLeased = firstOf(leased, "", ms)
  firstDelayed = firstOf(delayed, "^[ng]", ms)
end
local function lookAtDead()
  firstOf(dead, "^[ng]", micros)
  redis.call("HLEN", reasons)
end
local function lookAtDone() firstOf(done, "^n", ms) end
redis.call("HLEN", items)
redis.call("HLEN", meta)
local latest = redis.call("HMGET", state, "place", "token", "clock")
local seen, shift, kept = string.match(latest[3] or "", "^(%d+) (%d+) (%d+)$")
if seen then
  ${looks}
else
  lookAtHands()
  lookAtDead()
  lookAtDone()
  redis.call("HLEN", names)
  if redis.call("EXISTS", state) == 1 then isOurs = false end
end
if not isOurs then return redis.error_reply("WRONGTYPE this is no queue") end
seen, shift, kept = tonumber(seen or 0), tonumber(shift or 0), tonumber(kept or 0)
local shifted = shift
local time = redis.call("TIME")
local now = time[1] * 1000000 + time[2]
${monotone}local us = now
now = math.floor(us / 1000)

local function integer(n) return string.format("%.0f", n) end
local function many(command, key, list)
  if #list > 0 then redis.call(command, key, unpack(list)) end
end
local function slice(from, n, step)
  local list = {}
  for i = 0, n - 1 do list[i + 1] = ARGV[from + i * step] end
  return list
end
local function found(key, list)
  if #list == 0 then return {} end
  return redis.call("HMGET", key, unpack(list))
end
local function parse(text)
  local place, failures = string.match(text or "", "^(%d+):(%d+)$")
  return place or integer(us), tonumber(failures or 0)
end
local function placeOf(id) return parse(redis.call("HGET", meta, id)) end
local function publish(change)
  redis.call("PUBLISH", string.gsub(ready, "queue:ready$", "queue:changes"), change)
end
local function tellIfReady()
  if not firstReady and redis.call("ZCARD", ready) > 0 then publish("ready") end
end
-- The clock, and what else is to be known, with a time until which it matters.
local function note(till, ...)
  local isFading = kept < till + 43200000
  if isFading then kept = till + 86400000 end
  redis.call("HSET", state, "clock", integer(seen) .. " " .. integer(shift) .. " " .. integer(kept), ...)
  if isFading then redis.call("PEXPIRE", state, integer(kept - now)) end
end
`

/** Of a script that is not run for each item. */
const all = first(`lookAtHands() lookAtDead() lookAtDone() redis.call("HLEN", names)`)

const letter = (named: boolean): string => (named ? "n" : "g")

/** Puts items in; says of each whether it is new. */
export const offer: Script<OfferRequest, ReadonlyArray<boolean>> = {
  name: "deliveries.offer",
  keys,
  args: ({ items }) => items.flatMap(({ id, named, payload }) => [letter(named) + id, payload]),
  lua: `${first("")}
local place = math.max(tonumber(latest[1] or 0) + 1, us)
local news, added, texts, metas, met = {}, {}, {}, {}, {}
for i = 1, #ARGV, 2 do
  local id = ARGV[i]
  local known = met[id]
  if not known and string.sub(id, 1, 1) == "n" then
    known = redis.call("HEXISTS", items, id) == 1 or tonumber(redis.call("ZSCORE", done, id) or 0) > now
  end
  if known then
    news[#news + 1] = "0"
  else
    met[id] = true
    news[#news + 1] = "1"
    local text = integer(place)
    added[#added + 1] = text
    added[#added + 1] = id
    texts[#texts + 1] = id
    texts[#texts + 1] = ARGV[i + 1]
    metas[#metas + 1] = id
    metas[#metas + 1] = text .. ":0"
    place = place + 1
  end
end
if #added > 0 then
  note(now, "place", integer(place - 1))
  many("HSET", items, texts)
  many("HSET", meta, metas)
  many("ZADD", ready, added)
  tellIfReady()
end
return table.concat(news)
`,
  decode: (reply, { items }) => {
    const text = textReply(offer.name, reply)
    if (text.length !== items.length) throw wrongReply(offer.name, `a text of ${items.length} letters`, reply)
    return Array.from(text, (each) => each === "1")
  }
}

const codes: Record<Outcome["kind"], string> = { acknowledge: "a", return: "r", reject: "j", bury: "b" }

const verdicts: Record<string, Settled> = { s: "settled", b: "buried", l: "lost" }

/** Settles, renews, and takes. */
export const exchange: Script<ExchangeRequest, ExchangeAnswer> = {
  name: "deliveries.exchange",
  keys,
  args: ({ attempts, lease, remember, renew, settle, take }) => [
    lease,
    attempts,
    remember,
    settle.length,
    renew.length,
    take.length,
    leaseEnded,
    ...settle.flatMap(({ delivery, outcome }) => [
      delivery,
      codes[outcome.kind],
      outcome.kind === "reject" ? Math.ceil(outcome.delay) : 0,
      "reason" in outcome ? outcome.reason : ""
    ]),
    ...renew,
    ...take
  ],
  lua: `${first('if ARGV[5] ~= "0" or ARGV[6] ~= "0" then lookAtHands() end')}
local lease, attempts, remember = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local settles, renews, takes = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local isDelayed = false
-- Until when a time matters that is kept: the latest of them, if there is any.
local till
local function matters(time) till = math.max(till or 0, time) end

local function bury(id, reason)
  matters(now)
  redis.call("ZADD", dead, integer(us), id)
  redis.call("HSET", reasons, id, reason)
end
-- One more attempt has failed. True: it was the last.
local function fail(id, delay, reason, last)
  local place, failures = placeOf(id)
  redis.call("HSET", meta, id, place .. ":" .. (failures + 1))
  if last or failures + 1 >= attempts then
    bury(id, reason)
    return true
  end
  if delay > 0 then
    matters(now + delay)
    redis.call("ZADD", delayed, integer(now + delay), id)
    isDelayed = true
  else
    redis.call("ZADD", ready, place, id)
  end
  return false
end

local at = 8
local verdicts, ended, finished, remembered = {}, {}, {}, {}
local asked = slice(at, settles, 4)
for i = 1, renews do asked[settles + i] = ARGV[at + settles * 4 + i - 1] end
-- A server without memory refuses what may take more, unless a script has written before. What is done, or still worked on, is heard all the same.
if #asked > 0 then redis.call("HDEL", names, "") end
local ids, gone = found(names, asked), {}
-- Before anything is written: which of the other keys it will be.
local buries = firstLeased and firstLeased <= now
local remembers = false
for i = 1, settles do
  local kind = ARGV[at + (i - 1) * 4 + 1]
  if kind == "j" or kind == "b" then buries = true end
  if kind == "a" and remember > 0 and ids[i] and string.sub(ids[i], 1, 1) == "n" then remembers = true end
end
if buries then lookAtDead() end
if remembers then lookAtDone() end
if not isOurs then return redis.error_reply("WRONGTYPE this is no queue") end
for i = 1, settles do
  local name, id, kind = asked[i], ids[i], ARGV[at + 1]
  verdicts[i] = "l"
  if id then
    verdicts[i] = "s"
    ended[#ended + 1] = name
    gone[name] = true
    if kind == "a" then
      finished[#finished + 1] = id
      if remember > 0 and string.sub(id, 1, 1) == "n" then
        remembered[#remembered + 1] = integer(now + remember)
        remembered[#remembered + 1] = id
      end
    elseif kind == "r" then
      redis.call("ZADD", ready, placeOf(id), id)
    elseif fail(id, tonumber(ARGV[at + 2]), ARGV[at + 3], kind == "b") then
      verdicts[i] = "b"
    end
  end
  at = at + 4
end
many("HDEL", names, ended)
many("ZREM", leased, ended)
many("HDEL", items, finished)
many("HDEL", meta, finished)
if #remembered > 0 then
  matters(now)
  redis.call("ZREMRANGEBYSCORE", done, "-inf", now)
  many("ZADD", done, remembered)
  if redis.call("PTTL", done) < remember then redis.call("PEXPIRE", done, remember) end
end

local renewed, again = {}, {}
for i = 1, renews do
  local name = asked[settles + i]
  local isKnown = ids[settles + i] and not gone[name]
  renewed[i] = isKnown and "1" or "0"
  if isKnown then
    matters(now + lease)
    again[#again + 1] = integer(now + lease)
    again[#again + 1] = name
  end
end
many("ZADD", leased, again)
at = at + renews

local taken, died = {}, {}
local count, retry = 0, -1
local token = math.max(tonumber(latest[2] or 0) + 1, us)
if takes > 0 then
  local lapsed = firstLeased and firstLeased <= now and redis.call("ZRANGEBYSCORE", leased, "-inf", now, "LIMIT", 0, 100) or {}
  local lost = found(names, lapsed)
  many("ZREM", leased, lapsed)
  many("HDEL", names, lapsed)
  for i = 1, #lapsed do
    if lost[i] and fail(lost[i], 0, ARGV[7], false) then died[#died + 1] = string.sub(lost[i], 2) end
  end
  local due = firstDelayed and firstDelayed <= now and redis.call("ZRANGEBYSCORE", delayed, "-inf", now, "LIMIT", 0, 100) or {}
  many("ZREM", delayed, due)
  for _, id in ipairs(due) do redis.call("ZADD", ready, placeOf(id), id) end

  local popped = redis.call("ZPOPMIN", ready, takes)
  local picked = {}
  for i = 1, #popped, 2 do picked[#picked + 1] = popped[i] end
  local texts, metas = found(items, picked), found(meta, picked)
  local leases, owners = {}, {}
  for i, id in ipairs(picked) do
    if texts[i] then
      local name = ARGV[at + count]
      local _, failures = parse(metas[i])
      local n = count * 5
      taken[n + 1], taken[n + 2], taken[n + 3] = name, string.sub(id, 2), texts[i]
      taken[n + 4], taken[n + 5] = failures + 1, integer(token + count)
      leases[#leases + 1] = integer(now + lease)
      leases[#leases + 1] = name
      owners[#owners + 1] = name
      owners[#owners + 1] = id
      count = count + 1
    end
  end
  if count > 0 then
    many("ZADD", leased, leases)
    many("HSET", names, owners)
    matters(now + lease)
  end
  if count < takes then
    if #lapsed == 100 or #due == 100 then
      retry = 0
    else
      for _, key in ipairs({leased, delayed}) do
        local head = redis.call("ZRANGE", key, "0", "0", "WITHSCORES")
        if head[2] then
          local wait = math.max(0, tonumber(head[2]) - now)
          if retry < 0 or wait < retry then retry = wait end
        end
      end
    end
  end
end

if count > 0 then
  note(till, "token", integer(token + count - 1))
elseif till or shift > shifted then
  note(till or now)
end
if isDelayed then publish("ready") else tellIfReady() end
if #ended + #died > 0 and #taken == 0 then
  if redis.call("ZCARD", leased) + redis.call("ZCARD", ready) + redis.call("ZCARD", delayed) == 0 then publish("idle") end
end
return {table.concat(verdicts), table.concat(renewed), taken, integer(retry), died}
`,
  decode: (reply, { renew, settle }) => {
    const { name } = exchange
    const [verdict, kept, flat, retry, died] = listReply(name, reply, 5)
    const settled: Array<Settled> = []
    for (const each of textReply(name, verdict)) {
      const what = verdicts[each]
      if (what === undefined) throw wrongReply(name, "s, b or l", each)
      settled.push(what)
    }
    const renewed: Array<boolean> = []
    for (const each of textReply(name, kept)) renewed.push(each === "1")
    if (settled.length !== settle.length || renewed.length !== renew.length) {
      throw wrongReply(name, `an answer to ${settle.length} and ${renew.length} deliveries`, reply)
    }
    const taken = rows(name, flat, 5).map(([delivery, id, payload, attempt, token]): Given => ({
      delivery: textReply(name, delivery),
      id: textReply(name, id),
      payload: textReply(name, payload),
      attempt: integerReply(name, attempt),
      token: numberReply(name, token)
    }))
    const wait = numberReply(name, retry)
    return {
      settled,
      renewed,
      taken,
      retryAfter: wait < 0 ? Infinity : wait,
      died: listReply(name, died).map((id) => textReply(name, id))
    }
  }
}

/** A list as rows of so many. */
const rows = (name: string, reply: unknown, width: number): ReadonlyArray<ReadonlyArray<unknown>> => {
  const flat = listReply(name, reply)
  if (flat.length % width !== 0) throw wrongReply(name, `rows of ${width}`, reply)
  return Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width))
}

export const counts: Script<{ readonly name: string }, Counts> = {
  name: "deliveries.counts",
  keys,
  args: () => [],
  lua: `${all}
return {redis.call("ZCARD", ready), redis.call("ZCARD", delayed), redis.call("ZCARD", leased), redis.call("ZCARD", dead)}
`,
  decode: (reply) => {
    const [ready, delayed, leased, dead] = listReply(counts.name, reply, 4).map((n) => integerReply(counts.name, n))
    return { ready: ready!, delayed: delayed!, leased: leased!, dead: dead! }
  }
}

/** The dead letters, the oldest first, at most so many. Since when they are dead is told by the clock as it is now. */
export const deadLetters: Script<{ readonly name: string; readonly limit: number }, ReadonlyArray<DeadLetter>> = {
  name: "deliveries.deadLetters",
  keys,
  args: ({ limit }) => [limit],
  lua: `${all}
local list = redis.call("ZRANGE", dead, 0, tonumber(ARGV[1]) - 1, "WITHSCORES")
local reply = {}
for i = 1, #list, 2 do
  local id = list[i]
  local _, failures = placeOf(id)
  local n = #reply
  reply[n + 1], reply[n + 2] = string.sub(id, 2), redis.call("HGET", items, id) or ""
  reply[n + 3], reply[n + 4] = failures, redis.call("HGET", reasons, id) or ""
  reply[n + 5] = integer(math.floor((tonumber(list[i + 1]) - shift) / 1000))
end
return reply
`,
  decode: (reply) => {
    const { name } = deadLetters
    return rows(name, reply, 5).map(([id, payload, attempts, reason, since]) => ({
      id: textReply(name, id),
      payload: textReply(name, payload),
      attempts: integerReply(name, attempts),
      reason: textReply(name, reason),
      since: numberReply(name, since)
    }))
  }
}

export interface MoveRequest extends DeadRequest {
  /** Makes them ready again, or forgets them. */
  readonly to: "ready" | "nowhere"
  /** Of all: those that died until then, by the clock of the server. Default, and empty: those that there are. */
  readonly until?: string | undefined
}

export interface Moved {
  readonly count: number
  readonly until: string
  /** There may be more. */
  readonly more: boolean
}

/** Takes dead letters out: those of some ids, or all, as many as can be moved at a time. */
export const move: Script<MoveRequest, Moved> = {
  name: "deliveries.move",
  keys,
  args: ({ ids, to, until = "" }) => [to, until, ids === undefined ? "all" : "some", ...(ids ?? [])],
  lua: `${all}
local upTo = ARGV[2]
local list = {}
local more = 0
if ARGV[3] == "all" then
  if upTo == "" then upTo = redis.call("ZRANGE", dead, -1, -1, "WITHSCORES")[2] or "0" end
  list = redis.call("ZRANGEBYSCORE", dead, "-inf", upTo, "LIMIT", 0, 100)
  if #list == 100 then more = 1 end
else
  for i = 4, #ARGV do
    list[#list + 1] = "n" .. ARGV[i]
    list[#list + 1] = "g" .. ARGV[i]
  end
end
local count = 0
for _, id in ipairs(list) do
  if redis.call("ZREM", dead, id) == 1 then
    count = count + 1
    redis.call("HDEL", reasons, id)
    if ARGV[1] == "ready" then
      local place = placeOf(id)
      redis.call("HSET", meta, id, place .. ":0")
      redis.call("ZADD", ready, place, id)
    else
      redis.call("HDEL", meta, id)
      redis.call("HDEL", items, id)
    end
  end
end
tellIfReady()
return {count, upTo, more}
`,
  decode: (reply) => {
    const [count, until, more] = listReply(move.name, reply, 3)
    return {
      count: integerReply(move.name, count),
      until: textReply(move.name, until),
      more: integerReply(move.name, more) === 1
    }
  }
}
