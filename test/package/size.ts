import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { root } from "../utils/source.js"

export interface Bundle {
  readonly minified: number
  readonly gzipped: number
  /** What it would still import when it runs. */
  readonly imports: ReadonlyArray<string>
  /** The bundled files, and what each puts into the bundle, largest first. */
  readonly inputs: ReadonlyArray<readonly [file: string, bytes: number]>
}

/** Bundles some exports of the facade as an application would: minified, tree-shaken, for browsers. */
export const bundle = async (names: ReadonlyArray<string>, directory = root): Promise<Bundle> => {
  const { metafile, outputFiles } = await build({
    stdin: { contents: `export { ${names.join(", ")} } from "effect-concurrency/promise"`, resolveDir: directory },
    absWorkingDir: directory,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    outfile: "bundle.js",
    metafile: true,
    write: false
  })
  const [output] = outputFiles
  const { imports, inputs } = metafile.outputs["bundle.js"]!
  return {
    minified: output!.contents.length,
    gzipped: gzipSync(output!.contents, { level: 9 }).length,
    imports: imports.map(({ path }) => path),
    inputs: Object.entries(inputs)
      .map(([file, { bytesInOutput }]) => [file, bytesInOutput] as const)
      .filter(([file, bytes]) => file !== "<stdin>" && bytes > 0)
      .toSorted((a, b) => b[1] - a[1])
  }
}

export const primitives = ["Semaphore", "Mutex", "Guarded", "Event", "Condition", "Barrier", "WorkQueue"]

/** Bytes, minified and gzipped. */
export const budgets: ReadonlyArray<{ readonly names: ReadonlyArray<string>; readonly limit: number }> = [
  { names: ["Mutex"], limit: 2048 },
  { names: primitives, limit: 8192 }
]

export const describeBundle = ({ gzipped, inputs, minified }: Bundle): string =>
  `${gzipped} bytes gzipped (${minified} minified): ${inputs.map(([file, bytes]) => `${file} ${bytes}`).join(", ")}`
