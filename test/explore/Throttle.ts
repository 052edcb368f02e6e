import { pacing } from "./pacing.js"

export const scenarios = pacing("Throttle")
