import { Bell } from "../pace.ts";

/** A person's order from outside of the gate: which sticks' images are there, and one of them to be scanned again, whatever
 *  definitions it was scanned with. */
export class RescanDesk {
  readonly bell = new Bell();
  readonly asked = new Set<string>();
  /** The gate that runs says it. */
  held: () => string[] = () => [];

  ask(stick: string): void {
    this.asked.add(stick);
    this.bell.ring();
  }
}
