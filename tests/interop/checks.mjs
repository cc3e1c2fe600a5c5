// What every TypeScript client does against an endpoint, and how it reports: one JSON line on stdout.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const TIME_LIMIT_MS = 60_000;

export function readOptions() {
  const { values } = parseArgs({
    options: {
      url: { type: "string" },
      stdio: { type: "string" }, // a JSON array: the command and its arguments
      token: { type: "string" },
      era: { type: "string", default: "legacy" }, // legacy | auto | modern
      expect: { type: "string" }, // a file of profiles/
    },
  });
  const expect = JSON.parse(readFileSync(values.expect, "utf8"));
  return { ...values, stdio: values.stdio && JSON.parse(values.stdio), expect };
}

function assert(condition, message) {
  if (!condition) throw new Error(message);
}

function includesAll(found, wanted, what) {
  const missing = (wanted ?? []).filter((name) => !found.includes(name));
  assert(missing.length === 0, `${what} lack ${missing.join(", ")}; there are: ${found.join(", ")}`);
}

function contains(value, text) {
  assert(JSON.stringify(value).includes(text), `\`${text}\` is not in ${JSON.stringify(value).slice(0, 400)}`);
}

async function all(list, member) {
  const items = [];
  let params;
  do {
    const page = await list(params);
    items.push(...page[member]);
    params = page.nextCursor === undefined ? undefined : { cursor: page.nextCursor };
  } while (params);
  return items;
}

/** Every message that `transport` receives from now on, in the order of the wire. */
export function tap(transport) {
  const wire = [];
  const onward = transport.onmessage;
  transport.onmessage = (message, ...rest) => {
    wire.push(message);
    return onward(message, ...rest);
  };
  return wire;
}

async function refusal(call) {
  try {
    const result = await call();
    return result.isError ? "tool error" : undefined;
  } catch (error) {
    return `error ${error.code ?? error.message}`;
  }
}

/** Runs all that `expect` asks for. `call(params, options)` hides how the SDK's generations differ. */
export async function runChecks({ name, era, expect, connect }) {
  const report = { ok: true, client: name, era, protocolVersion: null, checks: [] };
  const watchdog = setTimeout(() => finish(report, `no end after ${TIME_LIMIT_MS} ms`), TIME_LIMIT_MS);
  const check = async (title, wanted, work) => {
    if (wanted === undefined) return;
    try {
      const detail = await work(wanted);
      report.checks.push({ name: title, ok: true, ...(detail === undefined ? {} : { detail }) });
    } catch (error) {
      report.ok = false;
      report.checks.push({ name: title, ok: false, detail: String(error?.message ?? error) });
    }
  };

  let session;
  await check("connect", true, async () => {
    session = await connect();
    report.protocolVersion = session.protocolVersion();
    assert(report.protocolVersion, "no protocol version was agreed on");
    if (era !== "legacy") assert(report.protocolVersion >= "2026-07-28", `got ${report.protocolVersion}`);
    else assert(report.protocolVersion < "2026-07-28", `got ${report.protocolVersion}`);
    return report.protocolVersion;
  });
  if (session) {
    const { client, call } = session;
    await check("tools", expect.tools, async (wanted) => {
      const names = (await all((params) => client.listTools(params), "tools")).map((tool) => tool.name);
      includesAll(names, wanted, "tools");
      const hidden = (expect.hidden_tools ?? []).filter((tool) => names.includes(tool));
      assert(hidden.length === 0, `tools show ${hidden.join(", ")}`);
      assert(new Set(names).size === names.length, "a tool is listed twice");
      return `${names.length} tools`;
    });
    await check("prompts", expect.prompts, async (wanted) => {
      const prompts = await all((params) => client.listPrompts(params), "prompts");
      includesAll(prompts.map((prompt) => prompt.name), wanted, "prompts");
    });
    await check("resources", expect.resources, async (wanted) => {
      const resources = await all((params) => client.listResources(params), "resources");
      includesAll(resources.map((resource) => resource.uri), wanted, "resources");
    });
    await check("templates", expect.templates, async (wanted) => {
      const templates = await all((params) => client.listResourceTemplates(params), "resourceTemplates");
      includesAll(templates.map((template) => template.uriTemplate), wanted, "templates");
    });
    for (const one of expect.calls ?? []) {
      await check(`call ${one.name}`, one, async ({ name, arguments: args, contains: text, lacks }) => {
        const result = await call({ name, arguments: args });
        assert(!result.isError, `tool error: ${JSON.stringify(result.content).slice(0, 300)}`);
        if (text !== undefined) contains(result, text);
        for (const secret of lacks ?? []) assert(!JSON.stringify(result).includes(secret), "a secret came through");
      });
    }
    await check("progress", expect.progress, async ({ name, arguments: args, steps }) => {
      const told = [];
      const before = session.wire.length;
      await call({ name, arguments: args }, { onprogress: (progress) => told.push(progress.progress) });
      const frames = session.wire.slice(before);
      const seen = frames.filter((frame) => frame.method === "notifications/progress").map((frame) => frame.params.progress);
      const wanted = Array.from({ length: steps }, (_, step) => step + 1);
      assert(seen.join() === wanted.join(), `progress on the wire was ${seen.join()}`);
      assert(frames.at(-1).result !== undefined, "progress came after the result");
      // Both generations of the SDK drop the progress that they read together with the result.
      assert(told.length >= 1 && told.join() === wanted.slice(0, told.length).join(), `progress was told as ${told.join()}`);
    });
    await check("cancel", expect.cancel, async ({ name, arguments: args }) => {
      const controller = new AbortController();
      const started = performance.now();
      const outcome = await refusal(() =>
        call({ name, arguments: args }, { signal: controller.signal, onprogress: () => controller.abort("enough") }));
      assert(outcome, "the call ended by itself");
      const took = Math.round(performance.now() - started);
      assert(took < 10_000, `cancelling took ${took} ms`);
    });
    await check("still serving after cancel", expect.cancel && expect.calls?.[0], async ({ name, arguments: args }) => {
      assert(!(await call({ name, arguments: args })).isError, "tool error");
    });
    await check("failing tool", expect.failing, async ({ name, arguments: args }) => {
      assert((await call({ name, arguments: args })).isError === true, "isError is not set");
    });
    await check("denied", expect.denied, async ({ name, arguments: args }) => {
      const outcome = await refusal(() => call({ name, arguments: args }));
      assert(outcome, "the call went through");
      return outcome;
    });
    for (const one of expect.reads ?? []) {
      await check(`read ${one.uri}`, one, async ({ uri, contains: text }) => {
        const result = await client.readResource({ uri });
        assert(result.contents[0].uri === uri, `the contents are of ${result.contents[0].uri}`);
        if (text !== undefined) contains(result.contents, text);
      });
    }
    await check("prompt", expect.prompt, async ({ name, arguments: args, contains: text }) => {
      const result = await client.getPrompt({ name, arguments: args });
      assert(result.messages.length > 0, "no messages");
      contains(result.messages, text);
    });
    for (const one of expect.completions ?? []) {
      await check(`complete ${one.ref.name ?? one.ref.uri}`, one, async ({ ref, argument, includes }) => {
        const { completion } = await client.complete({ ref, argument });
        includesAll(completion.values, [includes], "completions");
      });
    }
    await check("close", true, () => session.close());
  }
  clearTimeout(watchdog);
  finish(report);
}

function finish(report, problem) {
  if (problem) Object.assign(report, { ok: false, problem });
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(report.ok ? 0 : 1));
}
