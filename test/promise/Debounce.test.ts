import { pacedFunction } from "./pacing.js"

pacedFunction("debounce")
