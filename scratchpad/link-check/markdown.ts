/**
 * What a file links to, and what in it can be linked to.
 *
 * The parser is markdown-it: it follows CommonMark and GitHub's tables, and took 1.1 s for the 1.8 MB of Markdown in our node_modules,
 * where micromark (mdast) took 7.4 s; `marked` is as fast but does not say where a link stands. github-slugger is GitHub's rule for
 * anchors, htmlparser2 reads the HTML in between.
 */
import Slugger from "github-slugger"
import { Parser } from "htmlparser2"
import MarkdownIt, { type Token } from "markdown-it"

export interface Link {
  /** As written. */
  readonly href: string
  readonly line: number
}

export interface Page {
  readonly links: ReadonlyArray<Link>
  /** The anchors of the headings, and every `id` and `<a name>`. */
  readonly anchors: ReadonlyArray<string>
}

const markdown = new MarkdownIt({ html: true, linkify: true })
markdown.validateLink = () => true // a link is reported whatever its scheme,
markdown.normalizeLink = (url) => url // and as it is written
markdown.linkify.set({ fuzzyLink: false }) // "README.md" is a file in these texts, not a host in Moldova

// The parser knows on which line a block starts, not where in the block a link stands. Each inline token passes through `push`, with the
// position reached in the text of the block: the line breaks before it are the lines to add.
markdown.inline.State = class extends markdown.inline.State {
  override push(type: string, tag: string, nesting: -1 | 0 | 1): Token {
    const token = super.push(type, tag, nesting)
    const line = lineBreaks(this.src.slice(0, this.pos))
    token.map = [line, line]
    return token
  }
}

// `[^1]: word` is a footnote on GitHub. For the parser it is the definition of a link named "^1".
markdown.core.ruler.after("block", "footnotes", (state) => {
  const references: Record<string, unknown> = state.env.references ?? {}
  for (const label of Object.keys(references)) {
    if (label.startsWith("^")) delete references[label]
  }
})

/** Reads a Markdown file. */
export const parseMarkdown = (text: string): Page => {
  const links: Array<Link> = []
  const anchors: Array<string> = []
  const slugger = new Slugger()
  let line = 1 // of the block
  let inHeading = false

  for (const token of markdown.parse(text, {})) {
    if (token.map) line = token.map[0] + 1
    if (token.type === "heading_open") inHeading = true
    if (token.type === "heading_close") inHeading = false
    if (token.type === "html_block") readHtml(token.content, line, links, anchors, slugger)
    if (token.type === "inline") {
      const children = token.children ?? []
      for (const child of children) {
        const at = line + (child.map?.[0] ?? 0)
        if (child.type === "link_open") addLink(links, child.attrGet("href"), at)
        if (child.type === "image") addLink(links, child.attrGet("src"), at)
        if (child.type === "html_inline") readHtml(child.content, at, links, anchors)
      }
      if (inHeading) anchors.push(slugger.slug(visibleText(children)))
    }
  }
  return { links, anchors }
}

/** The anchors of an HTML file: its ids. */
export const parseHtml = (text: string): Page => {
  const links: Array<Link> = []
  const anchors: Array<string> = []
  readHtml(text, 1, links, anchors)
  return { links, anchors }
}

/** Whether a link leaves the machine: anything with a scheme, and `//host/path`. */
export const isExternal = ({ href }: Link): boolean => /^([a-z][a-z0-9+.-]*:|\/\/)/i.test(href)

/** Whether a page has an anchor, by the rules of GitHub: upper and lower case are the same, and the top is always there. */
export const hasAnchor = (anchors: ReadonlyArray<string>, wanted: string): boolean => {
  const name = canonical(wanted)
  return name === "" || name === "top" || anchors.some((anchor) => canonical(anchor) === name)
}

const canonical = (anchor: string): string => anchor.toLowerCase().replace(/^user-content-/, "")

/** What a heading shows as text: GitHub leaves images and tags out of the anchor. */
const visibleText = (tokens: ReadonlyArray<Token>): string =>
  tokens
    .filter(({ type }) => type === "text" || type === "code_inline" || type === "text_special")
    .map(({ content }) => content)
    .join("")

/** With a slugger, headings that are written in HTML get an anchor as well. */
const readHtml = (html: string, line: number, links: Array<Link>, anchors: Array<string>, slugger?: Slugger): void => {
  let heading: string | undefined
  const parser = new Parser({
    onopentag(name, attributes) {
      const at = line + lineBreaks(html.slice(0, parser.startIndex))
      addLink(links, attributes["href"] ?? null, at)
      addLink(links, attributes["src"] ?? null, at)
      if (attributes["id"]) anchors.push(attributes["id"])
      if (name === "a" && attributes["name"]) anchors.push(attributes["name"])
      if (/^h[1-6]$/.test(name)) heading = ""
    },
    ontext(text) {
      if (heading !== undefined) heading += text
    },
    onclosetag(name) {
      if (heading === undefined || !/^h[1-6]$/.test(name)) return
      if (slugger) anchors.push(slugger.slug(heading.trim()))
      heading = undefined
    }
  })
  parser.end(html)
}

/** A `data:` URL is its own content: there is nothing to check and nowhere to go. */
const addLink = (links: Array<Link>, href: string | number | null, line: number): void => {
  if (typeof href === "string" && !/^data:/i.test(href)) links.push({ href, line })
}

const lineBreaks = (text: string): number => {
  let count = 0
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count++
  return count
}
