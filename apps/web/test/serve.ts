/** The console's plain routes behind a real HTTP server, for tests that run the command line as a process of its own. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Every request seems to come from 192.0.2.9. */
export async function serve(answer: (request: Request) => Promise<Response>): Promise<{ server: Server; url: string }> {
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const request = new Request(new URL(incoming.url ?? "/", "http://localhost"), {
      method: incoming.method ?? "GET",
      headers: { ...(incoming.headers as Record<string, string>), "x-forwarded-for": "192.0.2.9" },
      ...(incoming.method === "POST" && { body: Buffer.concat(chunks).toString() }),
    });
    const response = await answer(request);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
