/**
 * Flags that a Redis server keeps.
 *
 * A name has one key, `latch:state`, a hash: the count, the clock (`seen` and `shift`, see below), and until when the flag is set (`until`:
 * milliseconds, or `inf`; without it, the flag is not set). It expires a day after it was last changed, or a day after the flag's own time; while a
 * flag is set for ever it does not. A hash that has no count or no clock, or in which they are no numbers, is somebody else's.
 *
 * **Counts** are the server's time in microseconds, or one more than the latest, if that is larger. So they also grow when the server has lost its data,
 * or the key has expired, as long as its clock does not go back; and they are safe integers until the year 2255.
 *
 * A server's clock may be set back. Then it goes on from the latest time that was written (`seen`; `shift` is by how much it was set back since the
 * first). So a flag that is set for a time lasts longer by what had passed since it was set or pulsed, and no more: the clock is not written each
 * time that somebody looks. Who only looks writes it when there is such a flag, and when it was set back: or each would find the old time again.
 *
 * @internal
 */
import type { Look } from "../latch.js"
import type { SetRequest } from "../latches.js"
import {
  channelOf,
  checkName,
  flagReply,
  keyOf,
  listReply,
  monotone,
  numberReply,
  type Script,
  wrongReply
} from "./script.js"

/** The channel on which those hear who wait for a name. */
export const changedChannel = (prefix: string, name: string): string => channelOf(prefix, name, "latch:changed")

const keys = (prefix: string, name: string): ReadonlyArray<string> => [
  keyOf(prefix, checkName("LatchStore", "name", name), "latch:state")
]

/** Reads the key: one of another type fails here, before anything is written. */
const read = `
local time = redis.call("TIME")
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local fields = redis.call("HMGET", KEYS[1], "count", "until", "seen", "shift")
local count, ends = tonumber(fields[1] or ""), fields[2] == "inf" and math.huge or tonumber(fields[2] or "0")
local seen, shift = tonumber(fields[3] or ""), tonumber(fields[4] or "")
if not (count and ends and seen and shift) then
  if redis.call("EXISTS", KEYS[1]) == 1 then return redis.error_reply("WRONGTYPE this hash has no flag") end
  count, ends, seen, shift = 0, 0, 0, 0
end
local shifted = shift
${monotone}local day = 86400000
local function text(n) return string.format("%.0f", n) end
local function grow(...)
  redis.call("HSET", KEYS[1], "count", text(math.max(count + 1, micros)), "seen", text(seen), "shift", text(shift), ...)
end
local function keep()
  if ends == math.huge then
    redis.call("PERSIST", KEYS[1])
  else
    redis.call("PEXPIRE", KEYS[1], text(math.max(ends - now, 0) + day))
  end
end
`

const setLua = `${read}
if ARGV[2] == "" then
  ends = math.huge
  grow("until", "inf")
else
  ends = now + tonumber(ARGV[2])
  grow("until", text(ends))
end
keep()
redis.call("PUBLISH", ARGV[1], "")
return 1
`

const clearLua = `${read}
if fields[2] then
  redis.call("HDEL", KEYS[1], "until")
  ends = 0
  keep()
end
return 1
`

const pulseLua = `${read}
grow()
keep()
redis.call("PUBLISH", ARGV[1], "")
return 1
`

const lookLua = `${read}
if shift > shifted and ends > now and ends < math.huge then
  redis.call("HSET", KEYS[1], "seen", text(seen), "shift", text(shift))
end
return { ends > now and 1 or 0, text(count) }
`

const done =
  (name: string) =>
  (reply: unknown): void => {
    if (reply !== 1) throw wrongReply(name, "1", reply)
  }

/** One round trip: sets a flag, and tells those who watch. */
export const set = (prefix: string): Script<SetRequest, void> => ({
  name: "latches.set",
  lua: setLua,
  keys: (prefix, { name }) => keys(prefix, name),
  args: ({ name, timeToLive = "" }) => [changedChannel(prefix, name), timeToLive],
  decode: done("latches.set")
})

export const clear: Script<string, void> = {
  name: "latches.clear",
  lua: clearLua,
  keys,
  args: () => [],
  decode: done("latches.clear")
}

/** Lets those go who wait now. */
export const pulse = (prefix: string): Script<string, void> => ({
  name: "latches.pulse",
  lua: pulseLua,
  keys,
  args: (name) => [changedChannel(prefix, name)],
  decode: done("latches.pulse")
})

export const look: Script<string, Look> = {
  name: "latches.look",
  lua: lookLua,
  keys,
  args: () => [],
  decode: (reply) => {
    const name = "latches.look"
    const [isSet, count] = listReply(name, reply, 2)
    return { isSet: flagReply(name, isSet), count: numberReply(name, count) }
  }
}
