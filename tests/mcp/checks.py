"""`sabir tools` and `sabir chat -t` against a real MCP server: stdio, and streamable HTTP at the address given."""

import json
import os
import subprocess
import sys
import tempfile

sabir, address, server = sys.argv[1:]
folder = tempfile.mkdtemp(prefix="sabir-mcp-")
with open(os.path.join(folder, "letmein"), "w") as file:
    file.write("from a file\n")
config = os.path.join(folder, "sabir.toml")
with open(config, "w") as file:
    file.write(f"""
[mcp.local]
command = "{sys.executable}"
args = ["{server}"]
env = {{ SECRET = "file:letmein" }}
timeout = "2s"
max_output = "1KiB"
confirm = "never"

[mcp.far]
url = "{address}/mcp"
headers = {{ Authorization = "Bearer ${{PASS}}" }}
timeout = "2s"
max_output = "1KiB"
confirm = "never"

[mcp.locked]
url = "{address}/mcp"
confirm = "never"

[mcp.lost]
url = "{address}/elsewhere"
headers = {{ Authorization = "Bearer ${{PASS}}" }}
confirm = "never"
""")


def run(*arguments, status=0):
    env = {"PATH": os.environ["PATH"], "HOME": folder, "OLLAMA_HOST": "http://127.0.0.1:1", "PASS": "letmein", "OPENAI_API_KEY": "k"}
    done = subprocess.run(
        [sabir, "--config", config, *arguments], capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, timeout=60
    )
    assert done.returncode == status, (arguments, done)
    assert "letmein" not in done.stderr, done.stderr
    return done


def chat(tool, named=None, **more):
    return run("chat", "-m", "sim/m", "-t", tool, f"Call {named or tool.split('.', 1)[1]}", **more)


def check(name, holds, shown):
    assert holds, f"{name}: {shown}"
    print(f"  ok  {name}")


for kind in ["local", "far"]:
    done = run("tools", kind, "--json")
    tools = {tool["name"]: tool for tool in map(json.loads, done.stdout.splitlines())}
    check(f"{kind}: lists its tools", set(tools) >= {f"{kind}.add", f"{kind}.text.twice", f"{kind}.dot"}, tools)
    check(f"{kind}: with their schemas", tools[f"{kind}.add"]["parameters"]["required"] == ["a", "b"], tools)
    done = run("tools", kind)
    check(f"{kind}: says who it is", f"tools of {kind} (testing 1.2.3)" in done.stderr, done)

    done = chat(f"{kind}.add")
    check(f"{kind}: a call with numbers", "The tool add gave: “" in done.stdout, done)
    done = chat(f"{kind}.text.twice", "text_twice")
    check(f"{kind}: a name that providers do not take", "The tool text_twice gave: “" in done.stdout, done)
    done = chat(kind, "add")
    check(f"{kind}: all of a server's tools", "The tool add gave: “" in done.stdout, done)
    done = chat(f"{kind}.dot")
    check(f"{kind}: an image", "with an image (image/png" in done.stdout, done)
    done = chat(f"{kind}.refuse")
    check(f"{kind}: a tool's error", "The tool refuse failed with: “" in done.stdout and "this is refused" in done.stdout, done)
    done = chat(f"{kind}.hang")
    check(f"{kind}: a tool that hangs", f"the server {kind} gave no result within 2s" in done.stdout, done)
    done = chat(f"{kind}.long")
    check(f"{kind}: a result without end", "[tool result] long" in done.stderr and len(done.stdout) < 2000, done)
    done = chat(f"{kind}.ad", status=2)
    check(f"{kind}: a name that is not there", f"did you mean {kind}.add?" in done.stderr, done)

done = run("tools", "local", "far", status=2)
done = chat("local.variable")
check("a variable from a file, and no keys of providers", "“from a file False”" in done.stdout, done)
done = chat("local.crash")
check("a server that ends in a call", "the server local did not answer: " in done.stdout, done)
done = run("chat", "-m", "sim/m", "-t", "local.add", "-t", "far.add", "Call far_add or local_add", "--json")
check("the same name twice", "The tool " in json.loads(done.stdout)["text"], done)
done = run("tools", "locked", status=1)
check("a server that wants a key", "did not answer as one: " in done.stderr and "401" in done.stderr, done.stderr)
done = run("tools", "lost", status=1)
check("an address where there is none", "404" in done.stderr and done.stderr.count("\n") <= 3, done.stderr)
