import { pacedFunction } from "./pacing.js"

pacedFunction("throttle")
