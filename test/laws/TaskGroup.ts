import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TaskGroup } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { type Attempt, fork, settle, start } from "./skins.js"

/** What a task or a body is given: told to stop, it is up to it what it does. */
interface Told {
  readonly signal: AbortSignal
}

type Work<A = unknown> = (told: Told) => Promise<A>

interface Started {
  /** Ends this task alone. */
  readonly cancel: () => void
}

interface Group {
  start(work: Work, name?: string): Started
  cancel(): void
  stats(): TaskGroup.Stats
}

/** One skin's way to run a body with a group: the same body for all. */
export interface TaskGroupSkin {
  readonly name: string
  readonly run: <A>(body: (group: Group, told: Told) => Promise<A>) => Attempt<A>
}

const none = (): void => {}

/** An `async` function as an effect that, when it is interrupted, waits for the function, which may yet fail. */
const asEffect = <A>(work: Work<A>): Effect.Effect<A, any> =>
  Effect.async<A, unknown>((resume) => {
    const controller = new AbortController()
    const promise = work(controller)
    promise.then(
      (value) => resume(Effect.succeed(value)),
      (error) => resume(Effect.fail(error))
    )
    return Effect.suspend(() => {
      controller.abort(new DOMException("stop", "AbortError"))
      return Effect.promise(() =>
        promise.then(none, (error) => {
          if (error.name !== "AbortError") throw error
        })
      )
    })
  })

const effectGroup = (group: TaskGroup.TaskGroup<any>): Group => ({
  start: (work, name) => {
    const started = fork(group.start(asEffect(work), { name }))
    if (started.state === "failed") throw started.error
    const fiber = started.value
    return { cancel: () => void Effect.runFork(Fiber.interrupt(fiber)) }
  },
  cancel: () => Effect.runSync(group.cancel),
  stats: () => Effect.runSync(group.stats)
})

const promiseGroup = (group: Promises.TaskGroup): Group => ({
  start: (work, name) => {
    const controller = new AbortController()
    const { status } = group.stats()
    const started = group.start(work, { name, signal: controller.signal })
    // A refusal is a rejection there.
    if (status !== "open") throw new Promises.TaskGroupClosed(name, status, group[TaskGroup.TypeId])
    void started
    return { cancel: () => controller.abort() }
  },
  cancel: () => group.cancel(),
  stats: () => group.stats()
})

const runEffect =
  (driver: (group: TaskGroup.TaskGroup<any>) => Group): TaskGroupSkin["run"] =>
  (body) =>
    fork(TaskGroup.run((group: TaskGroup.TaskGroup<any>) => asEffect((told) => body(driver(group), told))))

export const taskGroupSkins: ReadonlyArray<TaskGroupSkin> = [
  { name: "effect", run: runEffect(effectGroup) },
  {
    name: "promise",
    run: (body) => start((options) => Promises.taskGroup((group) => body(promiseGroup(group), group), options))
  },
  {
    name: "mixed",
    run: runEffect((group) => {
      const [first, second] = [effectGroup(group), promiseGroup(Promises.TaskGroup.from(group))]
      let turn = 0
      return { ...first, start: (...args) => (turn++ % 2 === 0 ? first : second).start(...args) }
    })
  }
]

/** Works until it is told to stop, and notes that it was. */
const forever =
  (log: Array<string>, name = "told"): Work<never> =>
  ({ signal }) =>
    new Promise((_, reject) => {
      const stop = () => {
        log.push(name)
        reject(signal.reason)
      }
      if (signal.aborted) stop()
      else signal.addEventListener("abort", stop)
    })

const ticks = async (n: number) => {
  for (let i = 0; i < n; i++) await new Promise((resolve) => setImmediate(resolve))
}

const failing =
  (error: unknown, after = 1): Work<never> =>
  async () => {
    await ticks(after)
    throw error
  }

/** Works until it is told to stop, then cleans up for a while, and fails. */
const failingToStop =
  (error: unknown): Work<never> =>
  async ({ signal }) => {
    while (!signal.aborted) await ticks(1)
    await ticks(2)
    throw error
  }

const errorsOf = (attempt: Attempt<unknown>): ReadonlyArray<unknown> => {
  assert.instanceOf(attempt.error, Promises.TaskGroupError)
  return (attempt.error as Promises.TaskGroupError).errors
}

/** Until everybody has ended. */
const rest = async () => {
  for (let i = 0; i < 5; i++) await settle()
}

export const taskGroupLaws = ({ name, run }: TaskGroupSkin) =>
  describe(`TaskGroup laws (${name})`, () => {
    const oops = new Error("oops")

    it("ends when the body and all tasks have, and gives what the body gives", async () => {
      const log: Array<string> = []
      const task = (name: string) => async () => {
        await ticks(3)
        log.push(name)
      }
      const attempt = run(async (group) => {
        group.start(task("a"))
        await ticks(1)
        group.start(task("b"))
        return "value"
      })
      await settle()
      await rest()
      assert.deepStrictEqual([attempt.value, log], ["value", ["a", "b"]])
    }) // asyncio: test_taskgroup_01, test_taskgroup_02

    it("a task that is cancelled on its own does not end the group", async () => {
      const log: Array<string> = []
      const attempt = run(async (group) => {
        const victim = group.start(forever(log))
        group.start(async () => {
          await ticks(6)
          log.push("other")
        })
        await ticks(2)
        victim.cancel()
        await ticks(3)
        return log.join()
      })
      await rest()
      assert.strictEqual(attempt.value, "told")
      assert.deepStrictEqual(log, ["told", "other"])
    }) // asyncio: test_taskgroup_03

    it("the failure of a task stops the others and the body, and is what the group fails with", async () => {
      const log: Array<string> = []
      const attempt = run(async (group, told) => {
        group.start(forever(log, "sibling"))
        group.start(failing(oops))
        await forever(log, "body")(told)
        log.push("not reached")
      })
      await rest()
      assert.strictEqual(attempt.error, oops)
      assert.deepStrictEqual(log.sort(), ["body", "sibling"])
    }) // asyncio: test_taskgroup_04, test_cancel_children_on_child_error

    it("errors of those who were told to stop come together with the first, in order of the start", async () => {
      const attempt = run(async (group, told) => {
        group.start(failingToStop("a"))
        group.start(failing("b"))
        group.start(failingToStop("c"))
        await failingToStop("body")(told)
      })
      await rest()
      assert.deepStrictEqual(errorsOf(attempt), ["a", "b", "c", "body"])
    }) // asyncio: test_taskgroup_19, test_taskgroup_context_manager_exit_raises

    it("a task that does not heed is waited for", async () => {
      let over = false
      const attempt = run(async (group) => {
        group.start(async () => {
          await ticks(20)
          over = true
        })
        group.start(failing(oops))
      })
      await settle()
      assert.deepStrictEqual([attempt.state, over], ["waiting", false])
      await rest()
      assert.deepStrictEqual([attempt.error, over], [oops, true])
    })

    it("an error of the body stops the tasks, and comes after theirs", async () => {
      const log: Array<string> = []
      const alone = run(async (group) => {
        group.start(forever(log))
        await ticks(2)
        throw oops
      })
      const both = run(async (group) => {
        group.start(failingToStop("task"))
        await ticks(2)
        throw oops
      })
      await rest()
      assert.deepStrictEqual([alone.error, log], [oops, ["told"]])
      assert.deepStrictEqual(errorsOf(both), ["task", oops])
    }) // asyncio: test_taskgroup_09, test_taskgroup_10

    it("cancelled from outside while it waits or while the body runs: all are told and waited for", async () => {
      for (const waits of [true, false]) {
        const log: Array<string> = []
        const attempt = run(async (group, told) => {
          for (let i = 0; i < 5; i++) group.start(forever(log))
          if (!waits) await forever(log)(told)
        })
        await settle()
        attempt.cancel()
        attempt.cancel()
        await rest()
        assert.strictEqual(attempt.state, "cancelled")
        assert.strictEqual(log.length, waits ? 5 : 6)
      }
    }) // asyncio: test_cancellation, test_taskgroup_07, test_taskgroup_17, test_taskgroup_22

    it("cancelled from outside, again and again, it waits for all", async () => {
      let over = 0
      const stubborn = async () => {
        await ticks(20)
        over++
      }
      const attempt = run(async (group) => {
        group.start(stubborn)
        group.start(stubborn)
      })
      // What has not begun would not be waited for, as it does not run.
      await ticks(2)
      for (let i = 0; i < 3; i++) {
        attempt.cancel()
        await ticks(2)
        assert.deepStrictEqual([attempt.state, over], ["waiting", 0])
      }
      await rest()
      assert.deepStrictEqual([attempt.state, over], ["cancelled", 2])
    })

    it("groups in groups: the inner one's errors are one error of the outer", async () => {
      const inner: Array<Attempt<unknown>> = []
      const nested =
        (work: Work): Work =>
        (told) =>
          new Promise((resolve, reject) => {
            const attempt = run(async (group) => {
              group.start(work)
              group.start(failingToStop("inner too"))
            })
            inner.push(attempt)
            told.signal.addEventListener("abort", () => attempt.cancel())
            void rest().then(() => (attempt.state === "failed" ? reject(attempt.error) : resolve(undefined)))
          })
      const attempt = run(async (group) => {
        group.start(nested(failing("inner")))
        group.start(failingToStop("outer"))
      })
      await rest()
      await rest()
      const [first, second] = errorsOf(attempt)
      assert.deepStrictEqual((first as AggregateError).errors, ["inner", "inner too"])
      assert.strictEqual(second, "outer")
    }) // asyncio: test_taskgroup_11, test_taskgroup_12, test_taskgroup_14

    it("tasks start tasks, also after the body has ended, and the group ends with the last", async () => {
      const log: Array<string> = []
      const attempt = run(async (group) => {
        group.start(async () => {
          await ticks(2)
          group.start(async () => {
            await ticks(3)
            log.push("grandchild")
          })
          log.push("child")
        })
        log.push("body")
      })
      await rest()
      assert.strictEqual(attempt.state, "done")
      assert.deepStrictEqual(log, ["body", "child", "grandchild"])
    }) // asyncio: test_taskgroup_24

    it("tasks that start tasks for ever are stopped by one that fails", async () => {
      let born = 0
      const attempt = run(async (group) => {
        const hydra: Work = async () => {
          born++
          await ticks(1)
          group.start(hydra)
          group.start(hydra)
        }
        group.start(hydra)
        group.start(failing(oops, 4))
      })
      await rest()
      const count = born
      await rest()
      assert.strictEqual(attempt.error, oops)
      assert.strictEqual(born, count)
    }) // asyncio: test_taskgroup_25

    it("those that have ended are forgotten while the group is open", async () => {
      const seen: Array<number> = []
      const attempt = run(async (group) => {
        for (let i = 0; i < 3; i++) group.start(async () => i)
        seen.push(group.stats().running)
        await settle()
        seen.push(group.stats().running)
      })
      await rest()
      assert.strictEqual(attempt.state, "done")
      assert.deepStrictEqual(seen, [4, 1])
    }) // asyncio: test_taskgroup_23

    it("names are kept for whoever looks, and unnamed tasks may be", async () => {
      const attempt = run(async (group) => {
        group.start(async () => ticks(2), "fetch")
        group.start(async () => ticks(2))
        return group.stats().names
      })
      await rest()
      assert.deepStrictEqual(attempt.value, ["(body)", "fetch", "(no name)"])
    }) // asyncio: test_taskgroup_task_name, test_name (the name is the group's: hand it to the task, if it wants it)

    it("a group that is failing takes no task, and that refusal is no error of who asked", async () => {
      const refusals: Array<unknown> = []
      const attempt = run(async (group, told) => {
        group.start(failing(oops))
        await forever([])(told).catch(none)
        try {
          group.start(async () => assert.fail("runs"), "late")
        } catch (error) {
          refusals.push(error)
        }
      })
      await rest()
      assert.strictEqual(attempt.error, oops)
      assert.strictEqual(
        (refusals[0] as any)._tag ?? String(refusals[0]).match(/TaskGroupClosed/)?.[0],
        "TaskGroupClosed"
      )
      assert.match(String(refusals[0]), /the task "late" was not started: the group is stopping/)
    }) // asyncio: test_taskgroup_no_create_task_after_failure

    it("a group that has ended takes no task", async () => {
      let leaked: Group
      const attempt = run(async (group) => void (leaked = group))
      await rest()
      assert.strictEqual(attempt.state, "done")
      process.once("unhandledRejection", none)
      assert.throws(() => leaked.start(async () => assert.fail("runs"), "late"), /the group has ended/)
      await rest()
      process.off("unhandledRejection", none)
    }) // asyncio: test_taskgroup_finished, test_coro_closed_when_tg_closed (a function that is not called needs no closing)

    describe("cancel", () => {
      it("ends all tasks without an error, twice is once, and no task is taken after it", async () => {
        const log: Array<string> = []
        const attempt = run(async (group) => {
          group.start(forever(log))
          group.start(forever(log))
          await ticks(2)
          group.cancel()
          group.cancel()
          let refused = false
          try {
            group.start(async () => assert.fail("runs"))
          } catch {
            refused = true
          }
          return [group.stats().status, refused]
        })
        await rest()
        assert.deepStrictEqual(attempt.value, ["stopping", true])
        assert.deepStrictEqual(log, ["told", "told"])
      }) // asyncio: test_taskgroup_cancel_children, test_taskgroup_cancel_idempotent, test_taskgroup_cancel_before_create_task

      it("leaves the body alone, whose value is the group's", async () => {
        // Deliberately different: asyncio stops the body too.
        const attempt = run(async (group) => {
          group.cancel()
          await ticks(3)
          return "value"
        })
        await rest()
        assert.strictEqual(attempt.value, "value")
      }) // asyncio: test_taskgroup_cancel_body, test_taskgroup_cancel_before_enter

      it("of a group that has ended changes nothing", async () => {
        let leaked: Group
        const attempt = run(async (group) => void (leaked = group))
        await rest()
        leaked!.cancel()
        assert.deepStrictEqual([attempt.state, leaked!.stats().status], ["done", "closed"])
      }) // asyncio: test_taskgroup_cancel_after_exit

      it("hides no error, of a task or of the body, before it or after it", async () => {
        const cases: ReadonlyArray<(group: Group) => Work> = [
          (group) => async () => {
            group.cancel()
            throw oops
          },
          (group) => async () => {
            try {
              throw oops
            } finally {
              group.cancel()
            }
          }
        ]
        for (const make of cases) {
          const ofTask = run(async (group) => {
            group.start(failingToStop(oops))
            await ticks(2)
            group.start(async () => group.cancel())
          })
          const ofBody = run(async (group, told) => {
            group.start(forever([]))
            await ticks(1)
            return make(group)(told)
          })
          await rest()
          assert.deepStrictEqual([ofTask.error, ofBody.error], [oops, oops])
        }
      }) // asyncio: test_taskgroup_cancel_before_exception, test_taskgroup_cancel_after_exception,
      // test_taskgroup_body_cancel_before_exception, test_taskgroup_body_cancel_after_exception

      it("by the first to finish makes a race", async () => {
        const log: Array<string> = []
        const racer =
          (group: Group, name: string, time: number): Work =>
          async (told) => {
            await Promise.race([ticks(time), forever(log, `${name} is told`)(told)])
            log.push(`${name} wins`)
            group.cancel()
          }
        const attempt = run(async (group) => {
          group.start(racer(group, "slow", 40))
          group.start(racer(group, "fast", 2))
        })
        await rest()
        await rest()
        assert.strictEqual(attempt.state, "done")
        assert.include(log, "fast wins")
        assert.notInclude(log, "slow wins")
      }) // asyncio: test_taskgroup_cancel_one_winner
    })
  })
