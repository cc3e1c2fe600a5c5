"""The `fastmcp` client: sessions, or 2026-07-28 only."""

import asyncio
from contextlib import asynccontextmanager

from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StreamableHttpTransport
from mcp.client.subscriptions import listen

from matrix import main


async def elicited(_message, _kind, _params, _context):
    return ElicitResult(action="accept", content={"username": "ann", "email": "none"})


async def sampled(_messages, _params, _context):
    return "sampled words"


class Session:
    def __init__(self, client):
        self.client = client

    async def call(self, name, arguments, on_progress=None):
        return await self.client.call_tool_mcp(name, arguments, progress_handler=on_progress)

    async def read(self, uri):
        return await self.client.read_resource(uri)

    async def prompt(self, name, arguments):
        return await self.client.get_prompt(name, arguments)

    async def complete(self, ref, argument):
        return await self.client.complete(ref, argument)


@asynccontextmanager
async def connect(options, heard):
    link = StreamableHttpTransport(options.url, auth=options.token)
    callbacks = {"elicitation_handler": elicited, "sampling_handler": sampled, "message_handler": heard.message}
    async with Client(link, mode=options.mode, **callbacks) as client:
        yield Session(client)


def watch(options):
    @asynccontextmanager
    async def subscribed(session, _heard, uri):
        await session.client.session.subscribe_resource(uri)
        yield
        await session.client.session.unsubscribe_resource(uri)

    @asynccontextmanager
    async def listening(session, heard, uri):
        asked = {"tools_list_changed": True, "resource_subscriptions": [uri]}
        async with listen(session.client.session, **asked) as events:

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
    main("py_fastmcp", connect, watch)
