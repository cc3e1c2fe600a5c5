"""What every Python client tries against each backend behind one gateway: one JSON line on stdout."""

import argparse
import asyncio
import json
import os
from contextlib import AsyncExitStack

import mcp_types as types

WAIT_S = 8


def read_options():
    parser = argparse.ArgumentParser()
    for name in ("url", "token", "era", "servers"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    options.mode = "2026-07-28" if options.era == "modern" else options.era
    return options


def has(value, text):
    dump = lambda item: item.model_dump(mode="json", by_alias=True, exclude_none=True)  # noqa: E731
    found = json.dumps(value, default=dump, ensure_ascii=False)
    if text not in found:
        raise AssertionError(f"`{text}` is not in {found[:200]}")


async def until(found, what):
    for _ in range(WAIT_S * 40):
        if await found():
            return
        await asyncio.sleep(0.025)
    raise AssertionError(f"{what} did not come")


class Heard:
    """What the server said unasked."""

    def __init__(self):
        self.uris, self.lists = [], []

    async def message(self, message):
        inner = getattr(message, "root", message)
        if isinstance(inner, types.ResourceUpdatedNotification):
            self.uris.append(str(inner.params.uri))
        if isinstance(inner, types.ToolListChangedNotification):
            self.lists.append("tools")

    def event(self, event):
        if hasattr(event, "uri"):
            self.uris.append(str(event.uri))
        if type(event).__name__ == "ToolsListChanged":
            self.lists.append("tools")

    def clear(self):
        self.uris.clear()
        self.lists.clear()


class Matrix:
    """A session (of `py_mcp` or `py_fastmcp`) hides how the libraries differ."""

    def __init__(self, session, heard, server, watch):
        self.session, self.heard, self.server, self.watch = session, heard, server, watch

    async def tool(self, tool, arguments=None, on_progress=None):
        return await self.session.call(f"{self.server}_{tool}", arguments or {}, on_progress)

    @property
    def uri(self):
        return f"{self.server}+test://watched-resource"

    async def progress(self):
        seen = []

        async def on_progress(progress, _total, _message):
            seen.append(int(progress))

        has(await self.tool("count", {"steps": 3}, on_progress), "counted to 3")
        if seen != [1, 2, 3]:
            raise AssertionError(f"progress was {seen}")

    async def elicitation(self):
        has(await self.tool("test_elicitation", {"message": "who?"}), "action=accept")

    async def sampling(self):
        has(await self.tool("test_sampling", {"prompt": "say"}), "sampled words")

    async def read(self):
        has(await self.session.read(f"{self.server}+test://static-text"), "static text resource")

    async def subscription(self):
        async with self.watch(self.session, self.heard, self.uri):
            self.heard.clear()
            await self.tool("touch", {"uri": "test://watched-resource"})

            async def told():
                return self.uri in self.heard.uris

            await until(told, "the update of the resource")

    async def prompt(self):
        name = f"{self.server}_test_prompt_with_arguments"
        has(await self.session.prompt(name, {"arg1": "one", "arg2": "two"}), "arg1='one', arg2='two'")

    async def completion(self):
        ref = types.PromptReference(type="ref/prompt", name=f"{self.server}_test_prompt_with_arguments")
        has(await self.session.complete(ref, {"name": "arg1", "value": "par"}), "paris")

    async def cancellation(self):
        async def count():
            return int((await self.tool("cancelled")).content[0].text)

        before = await count()
        begun = asyncio.Event()

        async def on_progress(_progress, _total, _message):
            begun.set()

        call = asyncio.create_task(self.tool("slow", {}, on_progress))
        await asyncio.wait_for(begun.wait(), WAIT_S)
        call.cancel()
        try:
            await call
        except asyncio.CancelledError:

            async def counted():
                return await count() > before

            return await until(counted, "the cancellation")
        raise AssertionError("the call ended by itself")

    async def changes(self):
        async with self.watch(self.session, self.heard, self.uri):
            self.heard.clear()
            await self.tool("test_trigger_tool_change")

            async def told():
                return "tools" in self.heard.lists

            await until(told, "the change of the list")


FEATURES = ["progress", "elicitation", "sampling", "read", "subscription", "prompt", "completion", "cancellation", "changes"]


def main(name, connect, watch):
    """`connect(options, heard, elicited, sampled)` is an async context manager; `watch` another."""
    options, cells = read_options(), {}

    async def work():
        heard = Heard()
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(connect(options, heard))
            for server in options.servers.split(","):
                matrix = Matrix(session, heard, server, watch(options))
                cells[server] = {}
                for feature in FEATURES:
                    try:
                        async with asyncio.timeout(2 * WAIT_S):
                            await getattr(matrix, feature)()
                        cells[server][feature] = "ok"
                    except Exception as error:  # noqa: BLE001
                        cells[server][feature] = f"{type(error).__name__}: {error}"[:300]
            # Said before the session ends: the cells are what counts.
            print(json.dumps({"client": name, "era": options.era, "cells": cells}), flush=True)
            os._exit(0)

    asyncio.run(work())
