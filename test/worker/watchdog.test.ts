import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { assert, describe, it } from "@effect/vitest"
import { root } from "../utils/source.js"

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe("a child process", () => {
  it("that is in a loop without end is ended when its parent has gone, however that ended", async () => {
    const parent = spawn(
      process.execPath,
      [
        "--input-type=module",
        "--eval",
        `import { Executor } from "effect-concurrency/promise"
         const executor = new Executor({ kind: "processes", max: 1 })
         console.log(await executor.toThread(() => process.pid))
         executor.toThread(() => {
           process.stdout.write("spins\\n")
           for (;;);
         })`
      ],
      { cwd: root, stdio: ["ignore", "pipe", "inherit"] }
    )
    const lines: Array<string> = []
    for await (const line of createInterface(parent.stdout)) if (lines.push(line) === 2) break
    const pid = Number(lines[0])
    assert.strictEqual(lines[1], "spins")
    parent.kill("SIGKILL")
    await once(parent, "exit")
    assert.isTrue(isAlive(pid), "it does not hear of that")
    const began = performance.now()
    while (isAlive(pid)) {
      assert.isBelow(performance.now() - began, 10_000)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    // Less would be too soon for one that hears of it and cleans up.
    assert.isAbove(performance.now() - began, 300)
  })
})
