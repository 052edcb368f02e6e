/**
 * Tools to test concurrent code with: an explorer of schedules, and a check of histories against a sequential model.
 *
 * @since 0.1.0
 */
export * as Explore from "./Explore.js"
export * as Linearizable from "./Linearizable.js"
