"""A server of the Model Context Protocol, made with its official SDK: over stdio, or with `http` over streamable HTTP.

Over HTTP it wants the header `Authorization: Bearer letmein`."""

import asyncio
import base64
import os
import sys

from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("testing", version="1.2.3")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers.

    They may be negative."""
    return a + b


@server.tool(name="text.twice")
def twice(text: str) -> str:
    """Gives a text twice."""
    return text + text


@server.tool()
def variable(name: str = "SECRET") -> str:
    """The value of a variable of the environment."""
    return str(os.environ.get("SECRET", "not set")) + " " + str("OPENAI_API_KEY" in os.environ)


@server.tool()
def dot() -> Image:
    """An image of one pixel."""
    data = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    return Image(data=base64.b64decode(data), format="png")


@server.tool()
def refuse() -> str:
    """Always fails."""
    raise ToolError("this is refused")


@server.tool()
async def steps(count: int, ctx: Context) -> str:
    """Says how far it is."""
    for step in range(count):
        await ctx.report_progress(step + 1, count)
    return f"{count} steps"


@server.tool()
def process() -> int:
    """The number of its process."""
    return os.getpid()


@server.tool()
async def hang() -> str:
    """Never answers."""
    await asyncio.sleep(3600)
    return "never"


@server.tool()
def crash() -> str:
    """Ends the server."""
    os._exit(7)


@server.tool()
def long() -> str:
    """Writes a lot."""
    return "x" * 1_000_000


def guarded(app):
    async def guard(scope, receive, send):
        if scope["type"] == "http" and (b"authorization", b"Bearer letmein") not in scope["headers"]:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b"who are you?"})
            return
        await app(scope, receive, send)

    return guard


if sys.argv[1:] == ["http"]:
    import uvicorn

    uvicorn.run(guarded(server.streamable_http_app()), port=0)
else:
    server.run("stdio")
