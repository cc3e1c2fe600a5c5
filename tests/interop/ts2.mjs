// The TypeScript SDK 2.x (`@modelcontextprotocol/client`): sessions (`legacy`), `auto`, or 2026-07-28 only (`modern`).
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { readOptions, runChecks, tap } from "./checks.mjs";

const { url, stdio, token, era, expect } = readOptions();

function transport() {
  if (stdio) return new StdioClientTransport({ command: stdio[0], args: stdio.slice(1), stderr: "ignore" });
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  return new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
}

await runChecks({
  name: "ts2",
  era,
  expect,
  connect: async () => {
    const mode = era === "modern" ? { pin: "2026-07-28" } : era;
    const client = new Client({ name: "interop-ts2", version: "1.0.0" }, { versionNegotiation: { mode } });
    const link = transport();
    await client.connect(link);
    return {
      client,
      wire: tap(link),
      protocolVersion: () => client.getNegotiatedProtocolVersion(),
      call: (params, options) => client.callTool(params, options),
      close: async () => {
        if (era === "legacy") await link.terminateSession?.();
        await client.close();
      },
    };
  },
});
