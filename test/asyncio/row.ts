/**
 * A test of CPython's for asyncio that says how something has to behave, and where that is checked here. CPython's tests were read, not
 * copied: each is ported by a test of ours that names it, or differs on purpose, as the documentation of the module says.
 */
export type Row = {
  readonly row: string
  /** The class of the test, where a list has two rows of one name. */
  readonly of?: string
} & (
  | {
      /** The files, from the root of the repository, in which a test names the row. */
      readonly ported: ReadonlyArray<string>
      /** What part of it is different, and why. */
      readonly differs?: string
    }
  | { readonly differs: string; readonly ported?: undefined }
)
