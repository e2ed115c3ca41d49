"""The official client against `sabir serve` in front of a real MCP server: with the handshake, and by the protocol that
has none."""

import asyncio
import hashlib
import os
import subprocess
import sys
import tempfile

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

sabir, address = sys.argv[1:]
folder = tempfile.mkdtemp(prefix="sabir-mcp-")
config = os.path.join(folder, "sabir.toml")
with open(config, "w") as file:
    file.write(f"""
[mcp.far]
url = "{address}/mcp"
headers = {{ Authorization = "Bearer ${{PASS}}" }}
timeout = "5s"

[gateway]
access_log = {{ path = "{folder}/access.log" }}

[gateway.keys.ada]
hash = "sha256:{hashlib.sha256(b"k-ada").hexdigest()}"
mcp = ["far"]

[gateway.keys.bob]
hash = "sha256:{hashlib.sha256(b"k-bob").hexdigest()}"
""")


def check(name, holds, shown):
    assert holds, f"{name}: {shown}"
    print(f"  ok  {name}")


async def use(url, mode):
    http = httpx2.AsyncClient(headers={"Authorization": "Bearer k-ada"})
    async with http, Client(streamable_http_client(f"{url}/mcp/far", http_client=http), mode=mode) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        check(f"gateway, {mode}: lists tools", {"add", "text.twice", "dot"} <= tools, tools)
        several = await asyncio.gather(*(client.call_tool("add", {"a": n, "b": 1}) for n in range(5)))
        sums = [result.content[0].text for result in several]
        check(f"gateway, {mode}: calls at once", sums == ["1", "2", "3", "4", "5"], sums)
        result = await client.call_tool("refuse", {})
        check(f"gateway, {mode}: a tool's error", result.is_error, result)


async def turned_away(url, key, status):
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as http:
        answer = await http.post(f"{url}/mcp/far", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
        said = answer.json()
        check(f"gateway: {status}", answer.status_code == status and said["error"]["message"], said)


env = {"PATH": os.environ["PATH"], "HOME": folder, "PASS": "letmein", "OPENAI_API_KEY": "k"}
serve = subprocess.Popen(
    [sabir, "--config", config, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True, env=env, stdin=subprocess.DEVNULL
)
try:
    url = serve.stdout.readline().split()[-1]
    for mode in ["legacy", "auto"]:
        asyncio.run(use(url, mode))
    asyncio.run(turned_away(url, "k-eve", 401))
    asyncio.run(turned_away(url, "k-bob", 404))
finally:
    serve.terminate()
check("gateway: ends in order", serve.wait(timeout=20) == 0, serve.returncode)
with open(f"{folder}/access.log") as file:
    log = file.read()
check("gateway: the access log", '"mcp":"far","key":"ada"' in log and "letmein" not in log and "k-ada" not in log, log[:500])
