// The TypeScript SDK 1.x (`@modelcontextprotocol/sdk`): sessions only.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { WebSocketClientTransport } from "@modelcontextprotocol/sdk/client/websocket.js";
import { readOptions, runChecks, tap } from "./checks.mjs";

const { url, stdio, token, era, expect } = readOptions();

function transport() {
  if (stdio) return new StdioClientTransport({ command: stdio[0], args: stdio.slice(1), stderr: "ignore" });
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (url.endsWith("/sse")) return new SSEClientTransport(new URL(url), { requestInit: { headers } });
  if (url.startsWith("ws")) {
    // The SDK has no place for headers; Node's own WebSocket takes them.
    const Native = globalThis.WebSocket;
    globalThis.WebSocket = class extends Native {
      constructor(to, protocols) {
        super(to, { protocols, headers });
      }
    };
    return new WebSocketClientTransport(new URL(url));
  }
  return new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
}

await runChecks({
  name: "ts1",
  era,
  expect,
  connect: async () => {
    const client = new Client({ name: "interop-ts1", version: "1.0.0" });
    const link = transport();
    let version;
    link.setProtocolVersion = new Proxy(link.setProtocolVersion ?? (() => {}), {
      apply: (original, self, [agreed]) => {
        version = agreed;
        return Reflect.apply(original, link, [agreed]);
      },
    });
    await client.connect(link);
    return {
      client,
      wire: tap(link),
      protocolVersion: () => version,
      call: (params, options) => client.callTool(params, undefined, options),
      close: async () => {
        await link.terminateSession?.();
        await client.close();
      },
    };
  },
});
