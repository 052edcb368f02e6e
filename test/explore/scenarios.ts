/** All that the explorer is set on. */
import * as Background from "./Background.js"
import * as Barrier from "./Barrier.js"
import * as Condition from "./Condition.js"
import * as Event from "./Event.js"
import * as Guarded from "./Guarded.js"
import * as Mutex from "./Mutex.js"
import type { Explored } from "./scenario.js"
import * as Semaphore from "./Semaphore.js"
import * as Shield from "./Shield.js"
import * as Streaming from "./Streaming.js"
import * as Task from "./Task.js"
import * as TaskGroup from "./TaskGroup.js"
import * as Wait from "./Wait.js"
import * as WorkQueue from "./WorkQueue.js"

export const scenarios: ReadonlyArray<Explored> = [
  Semaphore,
  Mutex,
  Guarded,
  Event,
  Condition,
  Barrier,
  WorkQueue,
  Task,
  Background,
  TaskGroup,
  Shield,
  Wait,
  Streaming
].flatMap((module) => module.scenarios)
