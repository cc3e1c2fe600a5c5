"""The Python SDK (`mcp` 2.x): sessions, or 2026-07-28 only."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from matrix import main


async def elicited(_context, _params):
    return types.ElicitResult(action="accept", content={"username": "ann", "email": "none"})


async def sampled(_context, _params):
    content = types.TextContent(type="text", text="sampled words")
    return types.CreateMessageResult(role="assistant", model="m", content=content)


class Session:
    def __init__(self, client):
        self.client = client

    async def call(self, name, arguments, on_progress=None):
        return await self.client.call_tool(name, arguments, progress_callback=on_progress)

    async def read(self, uri):
        return await self.client.read_resource(uri)

    async def prompt(self, name, arguments):
        return await self.client.get_prompt(name, arguments)

    async def complete(self, ref, argument):
        return await self.client.complete(ref, argument)


@asynccontextmanager
async def connect(options, heard):
    async with AsyncExitStack() as stack:
        headers = {"Authorization": f"Bearer {options.token}"}
        http = await stack.enter_async_context(create_mcp_http_client(headers=headers))
        link = streamable_http_client(options.url, http_client=http)
        callbacks = {
            "elicitation_callback": elicited,
            "sampling_callback": sampled,
            "message_handler": heard.message,
        }
        yield Session(await stack.enter_async_context(Client(link, mode=options.mode, **callbacks)))


def watch(options):
    @asynccontextmanager
    async def subscribed(session, _heard, uri):
        await session.client.subscribe_resource(uri)
        yield
        await session.client.unsubscribe_resource(uri)

    @asynccontextmanager
    async def listening(session, heard, uri):
        async with session.client.listen(tools_list_changed=True, resource_subscriptions=[uri]) as events:

            async def read():
                async for event in events:
                    heard.event(event)

            reader = asyncio.create_task(read())
            try:
                yield
            finally:
                reader.cancel()

    return listening if options.era == "modern" else subscribed


if __name__ == "__main__":
    main("py_mcp", connect, watch)
