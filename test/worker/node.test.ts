/** How workers are started, whatever options the program has. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { optionsOfOthers } from "../../src/worker/node.js"
import { root } from "../utils/source.js"

describe("the options of another process", () => {
  it.each([
    [[], []],
    [
      ["--expose-gc", "--import", "tsx"],
      ["--expose-gc", "--import", "tsx"]
    ],
    [["--input-type=module", "--expose-gc", "--eval", "code"], ["--expose-gc"]],
    [
      ["--input-type", "module", "-e", "code", "--import", "tsx"],
      ["--import", "tsx"]
    ],
    [["-p", "code", "--expose-gc"], ["--expose-gc"]],
    [["-p", "--expose-gc", "-e", "code"], ["--expose-gc"]],
    [["-pe", "code"], []],
    [
      ["--inspect", "--inspect-brk=9230", "--inspect-port", "0", "--conditions", "print"],
      ["--conditions", "print"]
    ],
    [
      ["--test", "--test-name-pattern=x", "--inspectors"],
      ["--test-name-pattern=x", "--inspectors"]
    ]
  ])("of %o they are %o", (all, others) => {
    assert.deepStrictEqual(optionsOfOthers(all), others)
  })
})

describe("a program whose options are not for its workers", () => {
  const url = new URL("../fixtures/jobs.mjs", import.meta.url).href
  const bridge = new URL("../fixtures/bridge.mjs", import.meta.url).href

  it("has workers of all kinds, which have the others of its options", async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        "--expose-gc",
        "--input-type=module",
        "--stack-trace-limit=33",
        "--eval",
        `import { Executor, SyncBridge } from "effect-concurrency/promise"
         const jobs = Executor.module("${url}")
         for (const kind of ["threads", "processes"]) {
           const executor = new Executor({ kind, max: 1 })
           console.log(kind, await executor.run(jobs.add, 1, 2), await executor.toThread(() => Error.stackTraceLimit))
           await executor.close()
         }
         const bridge = new SyncBridge(SyncBridge.module("${bridge}"))
         console.log("bridge", bridge.run("add", [1, 2]))
         import { Effect } from "effect"
         import * as Effects from "effect-concurrency/Executor"
         import * as NodeExecutor from "effect-concurrency/NodeExecutor"
         const program = Effects.run(Effects.module("${url}").add, 1, 2)
         for (const layer of [NodeExecutor.layerThreads, NodeExecutor.layerProcesses]) {
           console.log("Effect", await Effect.runPromise(Effect.provide(program, layer({ max: 1 }))))
         }`
      ],
      { cwd: root, timeout: 30_000 }
    )
    assert.deepStrictEqual(stdout.trimEnd().split("\n"), [
      "threads 3 33",
      "processes 3 33",
      "bridge 3",
      "Effect 3",
      "Effect 3"
    ])
  })
})
