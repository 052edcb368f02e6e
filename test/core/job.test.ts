import { assert, describe, it } from "@effect/vitest"
import * as core from "../../src/core/job.js"

const said = (error: Error & { readonly _tag: string }) => [error._tag, error.name, error.message]

describe("the errors of a job", () => {
  it("say by their tag, their name and their words what became of it", () => {
    const crash = new Error("out of memory")
    assert.deepStrictEqual(said(new core.WorkerDied("f", true, crash)), [
      "WorkerDied",
      "WorkerDied",
      'the worker ended while it ran "f": out of memory'
    ])
    assert.deepStrictEqual(said(new core.JobTimeout("f", 5)), [
      "JobTimeout",
      "JobTimeout",
      'the job "f" ran longer than 5 ms, and was stopped'
    ])
    assert.deepStrictEqual(said(new core.ExecutorClosed("f", false)), [
      "ExecutorClosed",
      "ExecutorClosed",
      'the job "f" was not started: the executor is closed'
    ])
    assert.strictEqual(new core.ExecutorClosed("f", true).message, 'the job "f" was stopped: the executor is closed')
    assert.deepStrictEqual(said(new core.ExecutorFull("f", 3)), [
      "ExecutorFull",
      "ExecutorFull",
      'the job "f" was not taken: all workers are busy, and 3 wait'
    ])
  })

  it("of a worker that could not be started: no cause that is no error is put into words, and it is kept", () => {
    const died = new core.WorkerDied("f", false, "why")
    assert.deepStrictEqual(
      [died.message, died.cause, died.started],
      ['the worker could not be started for "f"', "why", false]
    )
  })
})
