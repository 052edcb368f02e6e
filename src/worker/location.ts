/**
 * Where the compiled files are that workers begin with: beside this one. When the sources themselves are run, by a loader that a worker
 * may not have, they are those of the last build.
 *
 * @internal
 */
const here = import.meta.url
const fromSources = here.endsWith(".ts")

/** What an executor's workers begin with. */
export const entry = (): URL =>
  fromSources ? new URL("../../dist/worker/entry.js", here) : new URL("./entry.js", import.meta.url)

/** What the worker of a bridge begins with. */
export const bridge = (): URL =>
  fromSources ? new URL("../../dist/worker/bridgeWatch.js", here) : new URL("./bridgeWatch.js", import.meta.url)
