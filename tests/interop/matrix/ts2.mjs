// The TypeScript SDK 2.x (`@modelcontextprotocol/client`): sessions, or 2026-07-28 only.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { ELICITED, SAMPLED, readOptions, runMatrix } from "./matrix.mjs";

const { url, token, era, servers } = readOptions();

await runMatrix({
  name: "ts2",
  era,
  servers,
  connect: async () => {
    const mode = era === "modern" ? { pin: "2026-07-28" } : era;
    const capabilities = { elicitation: {}, sampling: {} };
    const client = new Client({ name: "matrix-ts2", version: "1" }, { capabilities, versionNegotiation: { mode } });
    const heard = [];
    client.setRequestHandler("elicitation/create", () => ELICITED);
    client.setRequestHandler("sampling/createMessage", () => SAMPLED);
    client.setNotificationHandler("notifications/resources/updated", ({ params }) => void heard.push({ uri: params.uri }));
    client.setNotificationHandler("notifications/tools/list_changed", () => void heard.push({ list: "tools" }));
    const requestInit = { headers: { Authorization: `Bearer ${token}` } };
    const link = new StreamableHTTPClientTransport(new URL(url), { requestInit });
    await client.connect(link);
    let subscription;
    const watch = async (uri) => {
      if (era !== "modern") return client.subscribeResource({ uri });
      await subscription?.close();
      subscription = await client.listen({ resourceSubscriptions: [uri], toolsListChanged: true });
    };
    return {
      client,
      heard,
      watch,
      call: (params, options) => client.callTool(params, options),
      close: async () => {
        await subscription?.close();
        if (era !== "modern") await link.terminateSession();
        await client.close();
      },
    };
  },
});
