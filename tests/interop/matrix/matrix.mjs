// What every TypeScript client tries against each backend behind one gateway: one JSON line on stdout.
import { parseArgs } from "node:util";

const WAIT_MS = 8_000;

export function readOptions() {
  const { values } = parseArgs({
    options: { url: { type: "string" }, token: { type: "string" }, era: { type: "string" }, servers: { type: "string" } },
  });
  return { ...values, servers: values.servers.split(",") };
}

export const ELICITED = { action: "accept", content: { username: "ann", email: "none" } };
export const SAMPLED = { role: "assistant", model: "m", stopReason: "endTurn", content: { type: "text", text: "sampled words" } };

function has(value, text) {
  const found = JSON.stringify(value);
  if (!found?.includes(text)) throw new Error(`\`${text}\` is not in ${found?.slice(0, 200)}`);
}

/** Waits until `found` is true of what has been heard. */
async function until(found, what) {
  const end = performance.now() + WAIT_MS;
  while (!(await found())) {
    if (performance.now() > end) throw new Error(`${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** `client`: the SDK's; `call(params, options)`; `heard`: notices `{uri}` and `{list}`; `watch(uri)`, `unwatch()`. */
export async function runMatrix({ name, era, servers, connect }) {
  const cells = {};
  const { client, call, heard, watch, close } = await connect();
  for (const server of servers) {
    const tool = (tool, args = {}, options) => call({ name: `${server}_${tool}`, arguments: args }, options);
    const uri = `${server}+test://watched-resource`;
    const features = {
      progress: async () => {
        const told = [];
        has(await tool("count", { steps: 3 }, { onprogress: ({ progress }) => told.push(progress) }), "counted to 3");
        // The SDK drops the progress that it reads together with the result.
        const inOrder = told.every((progress, at) => progress === at + 1);
        if (told.length === 0 || !inOrder) throw new Error(`progress was ${told}`);
      },
      elicitation: async () => has(await tool("test_elicitation", { message: "who?" }), "action=accept"),
      sampling: async () => has(await tool("test_sampling", { prompt: "say" }), "sampled words"),
      read: async () => has(await client.readResource({ uri: `${server}+test://static-text` }), "static text resource"),
      subscription: async () => {
        await watch(uri);
        heard.length = 0;
        await tool("touch", { uri: "test://watched-resource" });
        await until(() => heard.some((one) => one.uri === uri), "the update of the resource");
      },
      prompt: async () => {
        const params = { name: `${server}_test_prompt_with_arguments`, arguments: { arg1: "one", arg2: "two" } };
        has(await client.getPrompt(params), "arg1='one', arg2='two'");
      },
      completion: async () => {
        const ref = { type: "ref/prompt", name: `${server}_test_prompt_with_arguments` };
        has(await client.complete({ ref, argument: { name: "arg1", value: "par" } }), "paris");
      },
      cancellation: async () => {
        const count = async () => Number((await tool("cancelled")).content[0].text);
        const before = await count();
        const controller = new AbortController();
        const options = { signal: controller.signal, onprogress: () => controller.abort("enough") };
        let ended = false;
        try {
          await tool("slow", {}, options);
          ended = true;
        } catch {
          // As it should be.
        }
        if (ended) throw new Error("the call ended by itself");
        await until(async () => (await count()) > before, "the cancellation");
      },
      changes: async () => {
        await watch(uri);
        heard.length = 0;
        await tool("test_trigger_tool_change");
        await until(() => heard.some((one) => one.list === "tools"), "the change of the list");
      },
    };
    cells[server] = {};
    for (const [feature, attempt] of Object.entries(features)) {
      try {
        await attempt();
        cells[server][feature] = "ok";
      } catch (error) {
        cells[server][feature] = String(error?.message ?? error).slice(0, 300);
      }
    }
  }
  try {
    await close();
  } catch {
    // The cells are what counts.
  }
  process.stdout.write(`${JSON.stringify({ client: name, era, cells })}\n`, () => process.exit(0));
}
