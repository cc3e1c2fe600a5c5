"""The `fastmcp` client: sessions (`legacy`), `auto`, or 2026-07-28 only (`modern`)."""

from contextlib import asynccontextmanager

from fastmcp import Client
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from mcp_types import PromptReference, ResourceTemplateReference

from checks import main


class Session:
    def __init__(self, client):
        self.client = client

    def protocol_version(self):
        return self.client.session.protocol_version

    async def list(self, kind):
        return await getattr(self.client, f"list_{kind}")()

    async def call(self, name, arguments, on_progress=None):
        return await self.client.call_tool_mcp(name, arguments, progress_handler=on_progress)

    async def read(self, uri):
        return await self.client.read_resource(uri)

    async def prompt(self, name, arguments):
        return await self.client.get_prompt(name, arguments)

    async def complete(self, ref, argument):
        kind = PromptReference if ref["type"] == "ref/prompt" else ResourceTemplateReference
        return (await self.client.complete(kind(**ref), argument)).values


@asynccontextmanager
async def connect(options):
    if options.stdio:
        link = StdioTransport(options.stdio[0], options.stdio[1:])
    elif options.url.endswith("/sse"):
        link = SSETransport(options.url, auth=options.token)
    else:
        link = StreamableHttpTransport(options.url, auth=options.token)
    async with Client(link, mode=options.mode) as client:
        yield Session(client)


main("py_fastmcp", connect)
