import assert from "node:assert/strict"

const internals = [
  "core/semaphore",
  "internal/park",
  "promise/park",
  "promise/Mutex",
  "promise/distributed/DistributedRateLimiter",
  "distributed/DistributedRateLimiter",
  "redis/connection",
  "testing/run",
  "index"
]
for (const path of internals) {
  await assert.rejects(import(`effect-concurrency/${path}`), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" }, path)
}
console.log("ok")
