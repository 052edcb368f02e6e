/** asyncio's tests of its task groups (`test_taskgroups.py`). */
import type { Row } from "./row.js"

const laws = "test/laws/TaskGroup.ts"
const effects = "test/TaskGroup.test.ts"
const promises = "test/promise/TaskGroup.test.ts"

const oneError = "One error comes as it is, and several in one, in order of the start rather than of the failure."
const noGroup = "A group that fails with one error has it as it is, and not in a group of one."
const both =
  "Interruption and errors come in one cause (in the facade: the errors in a TaskGroupError, whose cause is the reason)."
const defects = "Defects take the place of KeyboardInterrupt and SystemExit, and hide no other error."
const enter = "There is nothing to enter: TaskGroup.run makes a group of its own each time that it runs."
const left =
  "There is no GeneratorExit: whoever is left early closes its scope, which ends well and waits for the tasks."
const noExit = "There is no GeneratorExit that a task could fail with."
const bodyGoes = "cancel ends the tasks and not the body, whose value is the group's."

export const rows: ReadonlyArray<Row> = [
  { row: "test_taskgroup_01", ported: [laws] },
  { row: "test_taskgroup_02", ported: [laws] },
  { row: "test_taskgroup_03", ported: [laws, promises] },
  { row: "test_taskgroup_04", ported: [laws], differs: noGroup },
  { row: "test_cancel_children_on_child_error", ported: [laws], differs: oneError },
  { row: "test_cancellation", ported: [laws] },
  { row: "test_taskgroup_07", ported: [laws] },
  { row: "test_taskgroup_08", ported: [effects, promises], differs: both },
  { row: "test_taskgroup_09", ported: [laws], differs: noGroup },
  { row: "test_taskgroup_10", ported: [laws, effects], differs: noGroup },
  { row: "test_taskgroup_11", ported: [laws], differs: oneError },
  { row: "test_taskgroup_12", ported: [laws], differs: oneError },
  { row: "test_taskgroup_13", ported: [effects] },
  { row: "test_taskgroup_14", ported: [laws], differs: oneError },
  { row: "test_taskgroup_15", ported: [effects], differs: both },
  { row: "test_taskgroup_16", ported: [effects], differs: both },
  { row: "test_taskgroup_17", ported: [laws] },
  { row: "test_taskgroup_18", ported: [effects], differs: noGroup },
  { row: "test_taskgroup_19", ported: [laws], differs: oneError },
  { row: "test_taskgroup_20", ported: [effects], differs: defects },
  { row: "test_taskgroup_20a", ported: [effects], differs: defects },
  { row: "test_taskgroup_21a", ported: [effects], differs: defects },
  { row: "test_taskgroup_22", ported: [laws] },
  { row: "test_taskgroup_23", ported: [laws] },
  { row: "test_taskgroup_24", ported: [laws] },
  { row: "test_taskgroup_25", ported: [laws], differs: noGroup },
  { row: "test_taskgroup_task_name", ported: [laws] },
  { row: "test_taskgroup_task_context", ported: [effects, promises] },
  { row: "test_taskgroup_no_create_task_after_failure", ported: [laws] },
  { row: "test_taskgroup_context_manager_exit_raises", ported: [laws] },
  { row: "test_taskgroup_already_entered", ported: [effects], differs: enter },
  { row: "test_taskgroup_double_enter", ported: [effects], differs: enter },
  { row: "test_taskgroup_finished", ported: [laws, effects] },
  { row: "test_taskgroup_not_entered", ported: [effects], differs: enter },
  {
    row: "test_taskgroup_without_parent_task",
    differs: "A group can be made anywhere: its body is a fiber of its own, and the facade needs no task around it."
  },
  {
    row: "test_coro_closed_when_tg_closed",
    ported: [laws],
    differs: "An effect or a function that was not started needs no closing."
  },
  {
    row: "test_cancelling_level_preserved",
    ported: [effects],
    differs: "There is no level: whoever was interrupted is interrupted, and nobody else."
  },
  { row: "test_nested_groups_both_cancelled", ported: [effects] },
  { row: "test_error_and_cancel", ported: [effects, promises], differs: both },
  { row: "test_name", ported: [laws], differs: "The name is the group's, for messages and for whoever looks." },
  { row: "test_cancels_task_if_created_during_creation", ported: [promises] },
  { row: "test_cancellation_does_not_leak_out_of_tg", ported: [effects] },
  { row: "test_taskgroup_cancel_children", ported: [laws] },
  { row: "test_taskgroup_cancel_body", ported: [laws], differs: bodyGoes },
  { row: "test_taskgroup_cancel_idempotent", ported: [laws] },
  { row: "test_taskgroup_cancel_after_exit", ported: [laws] },
  { row: "test_taskgroup_cancel_before_enter", ported: [laws, promises], differs: bodyGoes },
  { row: "test_taskgroup_cancel_before_create_task", ported: [laws] },
  { row: "test_taskgroup_cancel_before_exception", ported: [laws] },
  { row: "test_taskgroup_cancel_after_exception", ported: [laws] },
  { row: "test_taskgroup_body_cancel_before_exception", ported: [laws] },
  { row: "test_taskgroup_body_cancel_after_exception", ported: [laws] },
  { row: "test_taskgroup_cancel_one_winner", ported: [laws] },
  { row: "test_taskgroup_cancel_from_child_before_first_suspension", ported: [promises] },
  { row: "test_taskgroup_generator_exit_01", ported: [effects, promises], differs: left },
  { row: "test_taskgroup_generator_exit_02", differs: noExit },
  { row: "test_taskgroup_generator_exit_03", differs: noExit },
  { row: "test_taskgroup_generator_exit_04", ported: [promises], differs: left }
]
