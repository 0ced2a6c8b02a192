import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { STATE_DEFAULT, startWords } from "./start-words.ts";

const here = fileURLToPath(import.meta.url);

test("where the package's unit is, a person is told to start that, and not an agent that nothing confines", () => {
  expect(startWords(STATE_DEFAULT, here)).toMatch(/config\.json over, then start it: systemctl start sallyport-agent$/);
});

test("elsewhere, and for another state folder, it is run by hand", () => {
  expect(startWords(STATE_DEFAULT, `${here}.none`)).toBe(`Start it: sallyport-agent run --state ${STATE_DEFAULT}`);
  expect(startWords("/srv/agent", here)).toBe("Start it: sallyport-agent run --state /srv/agent");
});
