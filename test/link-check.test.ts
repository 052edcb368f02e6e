/** The example program as its users meet it: a process with arguments, output, exit codes and Ctrl-C. */
import { spawn } from "node:child_process"
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const repository = fileURLToPath(new URL("..", import.meta.url))

interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** The process group: whatever the run started and left behind is in it. */
  readonly group: number
  /** From the signal to the exit. */
  readonly millisecondsToStop: number
}

/** Runs the program; sends SIGINT to its process group, as a terminal does, when its output first contains a text. */
const linkCheck = (args: ReadonlyArray<string>, options: { readonly interruptAt?: string } = {}): Promise<Run> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", "scratchpad/link-check/main.ts", ...args], {
      cwd: repository,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    let signalled: number | undefined
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      if (signalled === undefined && options.interruptAt !== undefined && stdout.includes(options.interruptAt)) {
        signalled = performance.now()
        process.kill(-child.pid!, "SIGINT")
      }
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.on("error", reject)
    child.on("close", (code) =>
      resolve({
        code,
        stdout,
        stderr,
        group: child.pid!,
        millisecondsToStop: performance.now() - (signalled ?? Number.NaN)
      })
    )
  })

const isAlive = (group: number): boolean => {
  try {
    process.kill(-group, 0)
    return true
  } catch {
    return false
  }
}

const files: Record<string, string> = {
  "good.md": `# Setup

See [setup](#setup), [its twin](#setup-1), [the other](docs/other.md), [a part](docs/other.md#part-two),
[by reference][other], [HTML](#by-name) and <img src="docs/pic.svg" alt="">.

## Setup

<a name="by-name"></a>
\`[not a link](in-code.md)\`

[other]: docs/other.md#written-in-html "with a title"
`,
  "docs/other.md": `[up](../good.md) ![picture](pic.svg) [escaped](with%20space.md) [folder](..) [top](#) [root](/good.md?plain=1#SETUP)

# The \`code\` & *more* ![icon](pic.svg)

[itself](#the-code--more)

Part two
--------

<h2>Written in HTML</h2>

<p id="page">text</p>

[page](page.html#deep) [lines](pic.svg#L3)
`,
  "docs/with space.md": "A footnote.[^1]\n\n[^1]: word\n",
  "docs/page.html": '<p id="deep">deep</p>',
  "docs/pic.svg": "<svg></svg>",
  "docs/ignored.txt": "[not Markdown](nowhere.md)",
  "docs/broken.md": `# Broken

[file](missing.md)
text [anchor
over two lines](other.md#nowhere) and \`code
over two\` [third](#setup-2)

| a            |
| ------------ |
| [cell][ref] |

<p>
  <a
    href="gone.html">gone</a>
</p>

- ![image](no/such.png)

[out](../../outside.md) [twice](missing.md) [twin](../good.md#setup-2) []()

[ref]: missing-by-reference.md
`,
  "external.md": `<https://example.com/a> https://example.com/b [c](http://example.com/c)
[mail](mailto:a@example.com) [d](//example.com/d) <img src="https://example.com/e.png"> ![data](data:image/png;base64,AA)
`,
  ".git/hidden.md": "[not ours](nowhere.md)"
}

describe.concurrent("link-check", () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "link-check-"))
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, "site", name)), { recursive: true })
      await writeFile(join(folder, "site", name), text)
    }
    await writeFile(join(folder, "outside.md"), "there, but not ours")
    await mkdir(join(folder, "fine"))
    await writeFile(join(folder, "fine", "a.md"), "# A\n[a](#a)\n")
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it("names every broken link by file and line, lists the external ones, and exits 1 because of --strict", async ({
    expect
  }) => {
    const json = join(folder, "report.json")
    const run = await linkCheck([join(folder, "site"), "--strict", "--json", json, "--requests", "2"])
    expect(run).toMatchObject({ code: 1, stderr: "" })

    const report = JSON.parse(await readFile(json, "utf8"))
    const place = ({ file, href, line }: { file: string; href: string; line: number }) => `${file}:${line} ${href}`
    expect(report.broken.map((link: any) => `${place(link)} ${link.reason}`)).toEqual([
      "docs/broken.md:3 missing.md does not exist",
      'docs/broken.md:4 other.md#nowhere has no anchor "nowhere"',
      'docs/broken.md:6 #setup-2 has no anchor "setup-2"',
      "docs/broken.md:10 missing-by-reference.md does not exist",
      "docs/broken.md:13 gone.html does not exist",
      "docs/broken.md:17 no/such.png does not exist",
      "docs/broken.md:19 ../../outside.md is outside the folder",
      "docs/broken.md:19 missing.md does not exist",
      'docs/broken.md:19 ../good.md#setup-2 has no anchor "setup-2"',
      "docs/broken.md:19  is empty"
    ])
    expect(report.external.map(place)).toEqual([
      "external.md:1 https://example.com/a",
      "external.md:1 https://example.com/b",
      "external.md:1 http://example.com/c",
      "external.md:2 mailto:a@example.com",
      "external.md:2 //example.com/d",
      "external.md:2 https://example.com/e.png"
    ])
    expect(report).toMatchObject({ interrupted: false, files: 5, unread: 0, unreadable: [], peakInFlight: 2 })
    expect(report.links).toBe(report.local + report.external.length)
    expect(report.checked).toBe(report.local)
    expect(report.requests).toBeLessThan(report.local)
    expect(report.peakQueue).toBeGreaterThan(0)

    expect(run.stdout).toContain("docs/broken.md:3  missing.md  does not exist\n")
    expect(run.stdout).toMatch(/^ {2}broken +10$/m)
    expect(isAlive(run.group)).toBe(false)
  })

  it("exits 0 with broken links without --strict, and prints plain lines into a pipe", async ({ expect }) => {
    const run = await linkCheck([join(folder, "site")])
    expect(run).toMatchObject({ code: 0, stderr: "" })
    expect(run.stdout).toMatch(/^reading: \d+ files, \d+ links\n/)
    expect(run.stdout).not.toMatch(/[\r\x1b]/)
  })

  it("exits 0 with --strict when nothing is broken, one of everything", async ({ expect }) => {
    const one = ["--concurrency", "1", "--requests", "1", "--capacity", "1"]
    const run = await linkCheck([join(folder, "fine"), "--strict", ...one])
    expect(run).toMatchObject({ code: 0, stderr: "" })
    expect(run.stdout).toMatch(/^ {2}broken +0$/m)
  })

  it.each([
    [["no-such-folder"], 'there is no folder "no-such-folder"'],
    [["package.json"], '"package.json" is not a folder'],
    [["--concurrency", "none"], '--concurrency must be a whole number from 1 to 10000, got "none"'],
    [["src", "--requests", "0"], '--requests must be a whole number from 1 to 10000, got "0"'],
    [["src", "test"], "one folder at a time, got 2: src, test"],
    [["--colour"], "Unknown option '--colour'"],
    [["test/types", "--json", "/nowhere/report.json"], "cannot write the report: ENOENT"]
  ])("exits 2 on %j and says why", async (args, message) => {
    const run = await linkCheck(args)
    expect(run.code).toBe(2)
    expect(run.stderr).toContain(`link-check: ${message}`)
    expect(run.stderr).not.toContain("    at ")
  })

  it("prints its usage with --help", async ({ expect }) => {
    const run = await linkCheck(["--help"])
    expect(run).toMatchObject({ code: 0, stderr: "" })
    expect(run.stdout).toContain("Usage: npm start")
  })
})

describe("link-check, interrupted", () => {
  it("stops at once on Ctrl-C, prints what it had, exits 130 and leaves nothing", async () => {
    const run = await linkCheck(["node_modules"], { interruptAt: "reading: " })
    expect(run).toMatchObject({ code: 130, stderr: "" })
    expect(run.stdout).toMatch(/^Interrupted\. So far, in node_modules:$/m)
    expect(run.stdout).toMatch(/^ {2}files +\d+/m)
    expect(run.stdout).not.toContain("Checked")
    expect(run.millisecondsToStop).toBeLessThan(2000)
    expect(isAlive(run.group)).toBe(false)
  })
})
