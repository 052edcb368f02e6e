import assert from "node:assert/strict"

for (const name of ["effect", "effect/Effect", "effect-concurrency"]) {
  await assert.rejects(import(name), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" }, name)
}
console.log("ok")
