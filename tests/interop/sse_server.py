"""A server of the deprecated HTTP+SSE transport, as `fastmcp` makes one. The port is the only argument."""

import sys

from fastmcp import Context, FastMCP

server = FastMCP("py-sse")


@server.tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool
async def count(steps: int, context: Context) -> str:
    """Counts, and tells its progress."""
    for step in range(1, steps + 1):
        await context.report_progress(step, steps)
    return f"counted to {steps}"


server.run(transport="sse", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False, log_level="error")
