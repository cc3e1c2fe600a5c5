"""The Python SDK (`mcp` 2.x): sessions (`legacy`), `auto`, or 2026-07-28 only (`modern`)."""

from contextlib import AsyncExitStack, asynccontextmanager

from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp_types import PromptReference, ResourceTemplateReference

from checks import main


class Session:
    def __init__(self, client):
        self.client = client

    def protocol_version(self):
        return self.client.protocol_version

    async def list(self, kind):
        items, cursor = [], None
        while True:
            page = await getattr(self.client, f"list_{kind}")(cursor=cursor)
            items += getattr(page, kind)
            cursor = page.next_cursor
            if cursor is None:
                return items

    async def call(self, name, arguments, on_progress=None):
        return await self.client.call_tool(name, arguments, progress_callback=on_progress)

    async def read(self, uri):
        return (await self.client.read_resource(uri)).contents

    async def prompt(self, name, arguments):
        return await self.client.get_prompt(name, arguments)

    async def complete(self, ref, argument):
        kind = PromptReference if ref["type"] == "ref/prompt" else ResourceTemplateReference
        return (await self.client.complete(kind(**ref), argument)).completion.values


@asynccontextmanager
async def connect(options):
    async with AsyncExitStack() as stack:
        if options.stdio:
            link = StdioServerParameters(command=options.stdio[0], args=options.stdio[1:])
        elif options.url.endswith("/sse"):
            link = sse_client(options.url, headers={"Authorization": f"Bearer {options.token}"})
        else:
            headers = {"Authorization": f"Bearer {options.token}"} if options.token else {}
            http = await stack.enter_async_context(create_mcp_http_client(headers=headers))
            link = streamable_http_client(options.url, http_client=http)
        yield Session(await stack.enter_async_context(Client(link, mode=options.mode)))


main("py_mcp", connect)
