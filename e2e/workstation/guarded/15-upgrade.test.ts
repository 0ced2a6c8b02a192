/** Promise: an agent that is killed and upgraded while nobody takes its records loses none of them. */
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { type Guarded, NEW, until } from "./guarded.ts";

const LINES = 1_500;
type Page = Awaited<ReturnType<Guarded["api"]["record"]["list"]["query"]>>;

const at = useGuarded();

it("killed and upgraded with a full spool, every line arrives once and in order", async () => {
  const { workstation, stack, api, id, records } = at();
  const { dom0 } = workstation;
  const since = new Date();
  await stack.children.get("worker")!.stop();
  const many = `i=0; while [ $i -lt ${LINES} ]; do echo "full-spool $i"; i=$((i + 1)); done > /dev/hvc1`;
  await workstation.guest("primary", many);
  const waiting = async () =>
    (JSON.parse(await dom0.run("sallyport-agent status --json")) as { spool: { records: number } }).spool.records;
  await until(async () => (await waiting()) >= LINES, "a full spool");
  await dom0.run("systemctl kill --signal=KILL sallyport-agent");
  await workstation.install(at().debs.new);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own place holder
  expect(await dom0.run("dpkg-query -W -f '${Version}' sallyport-agent")).toBe(NEW);
  expect(await waiting()).toBeGreaterThanOrEqual(LINES);
  stack.children.get("worker")!.start();
  await until(async () => {
    const { row } = await api.workstation.get.query({ id });
    return row.agentVersion === NEW && row.reported?.spool.records === 0;
  }, "the new version, with nothing left to send");
  const lines: string[] = [];
  const filter = { kind: ["guest.log"], workstation: [id], text: ["full-spool"], since: since.toISOString() };
  for (let cursor: { received: string; trail: number; index: number } | null = null; ; ) {
    const page: Page = await api.record.list.query({ filter, cursor });
    lines.push(...page.rows.map(({ text }) => text ?? ""));
    cursor = page.next;
    if (cursor === null) break;
  }
  expect(lines.reverse()).toEqual(Array.from({ length: LINES }, (_, line) => `full-spool ${line}`));
  expect(await records("agent.gap", since)).toEqual([]);
});
