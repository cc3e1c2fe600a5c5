// The gateway as a client: starts it in front of the server that the suite runs, and drives it as an agent would.
//
//   SEALGATE=path/to/sealgate node client.mjs <url of the scenario's server>
//
// What a scenario wants beside the usual (call what is listed, read what is listed) comes in MCP_CONFORMANCE_CONTEXT.
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const VERSION = "2026-07-28";
const upstream = process.argv.at(-1);
const sealgate = process.env.SEALGATE;
const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? "{}");

const folder = mkdtempSync(join(tmpdir(), "sealgate-client-"));
mkdirSync(join(folder, "policies"));
writeFileSync(join(folder, "policies/all.cedar"), '@id("all")\npermit(principal, action in Action::"Mcp", resource);\n');
// JSON is YAML.
const config = {
  listen: "127.0.0.1:0",
  admin: { listen: "127.0.0.1:0" },
  dataDir: "./data",
  policies: { folder: "./policies" },
  mcpServers: { up: { url: upstream, session: "perPrincipal" } },
};
writeFileSync(join(folder, "sealgate.yaml"), JSON.stringify(config));

const settings = { cwd: folder, stdio: ["ignore", "pipe", "inherit"] };
const made = execFileSync(
  sealgate,
  ["token", "create", "--config", "sealgate.yaml", "--user", "a", "--role", "r", "--agent", "t", "-o", "json"],
  settings,
);
const token = JSON.parse(made).token;
const gateway = spawn(sealgate, ["serve", "--json", "--config", "sealgate.yaml"], settings);
const lines = createInterface({ input: gateway.stdout });
const ready = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);
const endpoint = ready.endpoint.replace("/mcp", "/servers/up/mcp");

let next = 0;

async function request(method, params = {}, headers = {}) {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": { name: "driver", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} } },
  };
  const name = params.name ?? params.uri;
  const response = await fetch(endpoint, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": VERSION,
      "mcp-method": method,
      ...(name === undefined ? {} : { "mcp-name": encoded(name) }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: ++next, method, params: { ...params, _meta: meta } }),
  });
  const text = await response.text();
  const isStream = response.headers.get("content-type").startsWith("text/event-stream");
  const last = isStream ? text.split("\n").filter((line) => line.startsWith("data: ")).at(-1).slice(6) : text;
  const message = JSON.parse(last);
  if (message.error) console.error(method, name ?? "", JSON.stringify(message.error));
  return message;
}

/** The header form of a value. */
function encoded(value) {
  const text = String(value);
  const plain = /^[\x20-\x7e]*$/.test(text) && text.trim() === text && !text.startsWith("=?base64?");
  return plain ? text : `=?base64?${Buffer.from(text).toString("base64")}?=`;
}

/** What `x-mcp-header` asks of a client, for the parameters at the root. */
function mirrored(tool, args) {
  const annotated = Object.entries(tool.inputSchema.properties ?? {}).filter(([, p]) => p["x-mcp-header"]);
  const given = annotated.filter(([key]) => args[key] !== undefined && args[key] !== null);
  return Object.fromEntries(given.map(([key, p]) => [`mcp-param-${p["x-mcp-header"].toLowerCase()}`, encoded(args[key])]));
}

/** Something of the right type for each parameter that is required. */
function sample(tool) {
  const { required = [], properties = {} } = tool.inputSchema;
  const values = { integer: 7, number: 5, boolean: true, object: {}, array: [] };
  return Object.fromEntries(required.map((key) => [key, values[properties[key]?.type] ?? "a"]));
}

/** A call, and its further rounds where the server asks for something. */
async function call(tool, args, between = async () => {}) {
  const params = { name: tool.name, arguments: args };
  const headers = mirrored(tool, args);
  let { result } = await request("tools/call", params, headers);
  for (let round = 0; result?.resultType === "input_required" && round < 5; round++) {
    await between();
    const answers = Object.keys(result.inputRequests ?? {}).map((key) => [key, { action: "accept", content: { confirmed: true } }]);
    const state = result.requestState === undefined ? {} : { requestState: result.requestState };
    ({ result } = await request("tools/call", { ...params, inputResponses: Object.fromEntries(answers), ...state }, headers));
  }
  return result;
}

async function drive() {
  let tools = [];
  // A server that was refused at first is tried again after a pause.
  for (let look = 0; look < 50; look++) {
    const { result } = await request("tools/list");
    tools = result.tools;
    if (!result._meta["sealgate/missing"]) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const byName = Object.fromEntries(tools.map((tool) => [tool.name, tool]));
  if (byName.json_schema_echo) {
    await call(byName.json_schema_echo, { schema: byName.json_schema_2020_12_tool.inputSchema });
    return;
  }
  if (context.toolCalls) {
    for (const one of context.toolCalls) await call(byName[one.name], one.arguments);
    return;
  }
  for (const tool of tools) {
    const unrelated = byName.test_mrtr_unrelated;
    await call(tool, sample(tool), unrelated && (() => call(unrelated, {})));
  }
  for (const { uri } of (await request("resources/list")).result?.resources ?? []) await request("resources/read", { uri });
  for (const { name } of (await request("prompts/list")).result?.prompts ?? []) await request("prompts/get", { name });
}

let code = 0;
try {
  await drive();
} catch (error) {
  console.error(scenario, error);
  code = 1;
}
gateway.kill();
await new Promise((resolve) => gateway.once("exit", resolve));
rmSync(folder, { recursive: true, force: true });
process.exit(code);
