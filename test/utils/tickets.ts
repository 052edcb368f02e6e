/** Tickets for tests of cores: they park nobody, and remember that they were woken. */
import type { AnyTicket, Chain } from "../../src/core/ticket.js"
import { Ticket } from "../../src/core/ticket.js"

export class TestTicket<out Request, in out Result> extends Ticket<Request, Result> {
  wakes = 0
  /** Called by `wake`, as a skin's caller could be. */
  onWake: (() => void) | undefined = undefined

  wake(): void {
    this.wakes++
    this.onWake?.()
  }
}

/** The tickets of a chain, in the order in which they would be woken. Wakes nobody. */
export const ticketsOf = (chain: Chain): Array<AnyTicket> => {
  const tickets: Array<AnyTicket> = []
  for (let ticket = chain; ticket !== undefined; ticket = ticket.next) tickets.push(ticket)
  return tickets
}
