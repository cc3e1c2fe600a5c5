"""What every Python client does against an endpoint, and how it reports: one JSON line on stdout."""

import argparse
import asyncio
import json
import os
import time
from pathlib import Path

TIME_LIMIT_S = 60


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--stdio", type=json.loads, help="a JSON array: the command and its arguments")
    parser.add_argument("--token")
    parser.add_argument("--era", default="legacy", choices=["legacy", "auto", "modern"])
    parser.add_argument("--expect", required=True, help="a file of profiles/")
    options = parser.parse_args()
    options.expect = json.loads(Path(options.expect).read_text())
    options.mode = "2026-07-28" if options.era == "modern" else options.era
    return options


def require(condition, message):
    if not condition:
        raise AssertionError(message)


def includes_all(found, wanted, what):
    missing = [name for name in wanted if name not in found]
    require(not missing, f"{what} lack {missing}; there are: {found}")


def text_of(value):
    """A result as JSON text, as it would stand on the wire."""
    dump = lambda item: item.model_dump(mode="json", by_alias=True, exclude_none=True)  # noqa: E731
    return json.dumps(value, default=dump, ensure_ascii=False)


class Checks:
    """Runs all that `expect` asks for. A session (of `py_mcp` or `py_fastmcp`) hides how the libraries differ."""

    def __init__(self, name, options):
        self.expect = options.expect
        self.era = options.era
        self.report = {"ok": True, "client": name, "era": options.era, "protocolVersion": None, "checks": []}

    async def check(self, title, wanted, work):
        if wanted is None:
            return
        try:
            detail = await work(wanted)
            self.report["checks"].append({"name": title, "ok": True} | ({"detail": detail} if detail else {}))
        except Exception as error:
            self.report["ok"] = False
            detail = f"{type(error).__name__}: {error}"
            self.report["checks"].append({"name": title, "ok": False, "detail": detail})

    async def run(self, session):
        self.session = session
        await self.check("connect", True, self.connected)
        await self.check("tools", self.expect.get("tools"), self.tools)
        for kind in ("prompts", "resources", "templates"):
            await self.check(kind, self.expect.get(kind), getattr(self, kind))
        for one in self.expect.get("calls", []):
            await self.check(f"call {one['name']}", one, self.call)
        await self.check("progress", self.expect.get("progress"), self.progress)
        await self.check("cancel", self.expect.get("cancel"), self.cancel)
        if self.expect.get("cancel"):
            await self.check("still serving after cancel", self.expect["calls"][0], self.call)
        await self.check("failing tool", self.expect.get("failing"), self.failing)
        await self.check("denied", self.expect.get("denied"), self.denied)
        for one in self.expect.get("reads", []):
            await self.check(f"read {one['uri']}", one, self.read)
        await self.check("prompt", self.expect.get("prompt"), self.prompt)
        for one in self.expect.get("completions", []):
            await self.check(f"complete {one['ref'].get('name') or one['ref'].get('uri')}", one, self.complete)

    async def connected(self, _):
        version = self.report["protocolVersion"] = self.session.protocol_version()
        modern = bool(version) and version >= "2026-07-28"
        require(version and modern == (self.era != "legacy"), f"got {version}")
        return version

    async def tools(self, wanted):
        names = [tool.name for tool in await self.session.list("tools")]
        includes_all(names, wanted, "tools")
        hidden = [tool for tool in self.expect.get("hidden_tools", []) if tool in names]
        require(not hidden, f"tools show {hidden}")
        require(len(set(names)) == len(names), "a tool is listed twice")
        return f"{len(names)} tools"

    async def prompts(self, wanted):
        includes_all([prompt.name for prompt in await self.session.list("prompts")], wanted, "prompts")

    async def resources(self, wanted):
        includes_all([str(item.uri) for item in await self.session.list("resources")], wanted, "resources")

    async def templates(self, wanted):
        templates = await self.session.list("resource_templates")
        includes_all([template.uri_template for template in templates], wanted, "templates")

    async def call(self, one):
        result = await self.session.call(one["name"], one["arguments"])
        text = text_of(result)
        require(not result.is_error, f"tool error: {text[:300]}")
        require(one.get("contains", "") in text, f"`{one.get('contains')}` is not in {text[:400]}")
        for secret in one.get("lacks", []):
            require(secret not in text, "a secret came through")

    async def progress(self, one):
        seen = []

        async def on_progress(progress, _total, _message):
            seen.append(int(progress))

        await self.session.call(one["name"], one["arguments"], on_progress)
        require(seen == list(range(1, one["steps"] + 1)), f"progress was {seen} when the result came")

    async def cancel(self, one):
        started = time.monotonic()
        begun = asyncio.Event()

        async def on_progress(_progress, _total, _message):
            begun.set()

        call = asyncio.create_task(self.session.call(one["name"], one["arguments"], on_progress))
        await asyncio.wait_for(begun.wait(), 10)
        call.cancel()
        try:
            await call
        except asyncio.CancelledError:
            took = time.monotonic() - started
            require(took < 10, f"cancelling took {took:.1f} s")
            return
        require(False, "the call ended by itself")

    async def refusal(self, one):
        try:
            result = await self.session.call(one["name"], one["arguments"])
        except Exception as error:
            return f"error: {error}"
        return "tool error" if result.is_error else None

    async def failing(self, one):
        require((await self.session.call(one["name"], one["arguments"])).is_error, "isError is not set")

    async def denied(self, one):
        outcome = await self.refusal(one)
        require(outcome, "the call went through")
        return outcome

    async def read(self, one):
        contents = await self.session.read(one["uri"])
        require(str(contents[0].uri) == one["uri"], f"the contents are of {contents[0].uri}")
        require(one.get("contains", "") in text_of(contents), f"`{one.get('contains')}` is not in the contents")

    async def prompt(self, one):
        messages = (await self.session.prompt(one["name"], one["arguments"])).messages
        require(one["contains"] in text_of(messages), f"`{one['contains']}` is not in the messages")

    async def complete(self, one):
        values = await self.session.complete(one["ref"], one["argument"])
        includes_all(values, [one["includes"]], "completions")


def main(name, session_for):
    """Runs the checks of one client. `session_for(options)` is an async context manager that connects."""
    options = read_options()
    checks = Checks(name, options)

    async def work():
        async with asyncio.timeout(TIME_LIMIT_S), session_for(options) as session:
            await checks.run(session)

    try:
        asyncio.run(work())
    except BaseException as error:  # noqa: BLE001  (groups of exceptions and cancellation are failures too)
        checks.report |= {"ok": False, "problem": f"{type(error).__name__}: {error}"}
    print(json.dumps(checks.report), flush=True)
    os._exit(0 if checks.report["ok"] else 1)
