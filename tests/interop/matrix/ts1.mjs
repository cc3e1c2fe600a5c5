// The TypeScript SDK 1.x (`@modelcontextprotocol/sdk`): sessions only.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { ELICITED, SAMPLED, readOptions, runMatrix } from "./matrix.mjs";

const { url, token, era, servers } = readOptions();

await runMatrix({
  name: "ts1",
  era,
  servers,
  connect: async () => {
    const client = new Client({ name: "matrix-ts1", version: "1" }, { capabilities: { elicitation: {}, sampling: {} } });
    const heard = [];
    client.setRequestHandler(ElicitRequestSchema, () => ELICITED);
    client.setRequestHandler(CreateMessageRequestSchema, () => SAMPLED);
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void heard.push({ uri: params.uri }));
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.push({ list: "tools" }));
    const requestInit = { headers: { Authorization: `Bearer ${token}` } };
    const link = new StreamableHTTPClientTransport(new URL(url), { requestInit });
    await client.connect(link);
    return {
      client,
      heard,
      call: (params, options) => client.callTool(params, undefined, options),
      watch: (uri) => client.subscribeResource({ uri }),
      close: async () => {
        await link.terminateSession();
        await client.close();
      },
    };
  },
});
