"""The official client against `sabir serve` in front of a real MCP server, at an address and as a program: with the
handshake, and by the protocol that has none."""

import asyncio
import hashlib
import os
import subprocess
import sys
import tempfile
import time

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

sabir, address, server = sys.argv[1:]
folder = tempfile.mkdtemp(prefix="sabir-mcp-")
config = os.path.join(folder, "sabir.toml")
with open(config, "w") as file:
    file.write(f"""
[mcp.far]
url = "{address}/mcp"
headers = {{ Authorization = "Bearer ${{PASS}}" }}
timeout = "5s"

[mcp.near]
command = "{sys.executable}"
args = ["{server}"]
env = {{ SECRET = "theirs" }}
timeout = "3s"

[gateway]
access_log = {{ path = "{folder}/access.log" }}

[gateway.keys.ada]
hash = "sha256:{hashlib.sha256(b"k-ada").hexdigest()}"
mcp = ["far", "near"]

[gateway.keys.bob]
hash = "sha256:{hashlib.sha256(b"k-bob").hexdigest()}"
""")


def check(name, holds, shown):
    assert holds, f"{name}: {shown}"
    print(f"  ok  {name}")


def client(url, name, mode):
    http = httpx2.AsyncClient(headers={"Authorization": "Bearer k-ada"}, timeout=30)
    return Client(streamable_http_client(f"{url}/mcp/{name}", http_client=http), mode=mode)


async def use(url, name, mode):
    about = f"gateway, {name}, {mode}"
    async with client(url, name, mode) as one:
        tools = {tool.name for tool in (await one.list_tools()).tools}
        check(f"{about}: lists tools", {"add", "text.twice", "dot"} <= tools, tools)
        several = await asyncio.gather(*(one.call_tool("add", {"a": n, "b": 1}) for n in range(5)))
        sums = [result.content[0].text for result in several]
        check(f"{about}: calls at once", sums == ["1", "2", "3", "4", "5"], sums)
        result = await one.call_tool("refuse", {})
        check(f"{about}: a tool's error", result.is_error, result)
        seen = []

        async def progress(done, total, _):
            seen.append((done, total))

        result = await one.call_tool("steps", {"count": 3}, progress_callback=progress)
        check(f"{about}: steps on the way", seen == [(1, 3), (2, 3), (3, 3)], (seen, result))


def gone(pid):
    """Whether a process is gone, or will be soon."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


async def start(url):
    """What is peculiar to a program."""
    async with client(url, "near", "legacy") as one, client(url, "near", "legacy") as other:
        result = await one.call_tool("variable", {})
        check("gateway, near: its own variables", result.content[0].text == "theirs False", result)
        pids = [int((await each.call_tool("process", {})).content[0].text) for each in (one, other)]
        check("gateway, near: a process for each session", pids[0] != pids[1], pids)
        try:
            result = await one.call_tool("hang", {})
            check("gateway, near: a call that hangs", False, result)
        except MCPError as error:
            check("gateway, near: a call that hangs", "in time" in str(error), error)
        result = await one.call_tool("add", {"a": 1, "b": 1})
        check("gateway, near: goes on after that", result.content[0].text == "2", result)
        try:
            result = await other.call_tool("crash", {})
            check("gateway, near: a program that dies", False, result)
        except MCPError as error:
            check("gateway, near: a program that dies", "ended before it answered" in str(error), error)
    check("gateway, near: ends with the session", all(map(gone, pids)), pids)
    async with client(url, "near", "auto") as one:
        pid = int((await one.call_tool("process", {})).content[0].text)
        again = int((await one.call_tool("process", {})).content[0].text)
        check("gateway, near: kept for the next request", pid == again, (pid, again))
    return pid


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
    for name in ["far", "near"]:
        for mode in ["legacy", "auto"]:
            asyncio.run(use(url, name, mode))
    pid = asyncio.run(start(url))
    asyncio.run(turned_away(url, "k-eve", 401))
    asyncio.run(turned_away(url, "k-bob", 404))
finally:
    serve.terminate()
check("gateway: ends in order", serve.wait(timeout=20) == 0, serve.returncode)
check("gateway: ends its programs", gone(pid), pid)
with open(f"{folder}/access.log") as file:
    log = file.read()
check("gateway: the access log, near", '"mcp":"near","key":"ada"' in log, log[:500])
check("gateway: the access log", '"mcp":"far","key":"ada"' in log and "letmein" not in log and "k-ada" not in log, log[:500])
