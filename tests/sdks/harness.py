"""What the checks of all SDKs have in common. usage: checks.py BASE_URL [MODEL [KEY]]"""
import base64
import faulthandler
import gc
import os
import signal
import sys
import time
import traceback

BASE = sys.argv[1]
MODEL = sys.argv[2] if len(sys.argv) > 2 else "m"
KEY = sys.argv[3] if len(sys.argv) > 3 else "any"
# Anthropic has no embeddings, and Responses is for chat: those come from where there are some.
EMBEDDER = "openai/m" if MODEL.startswith(("anthropic/", "openai:responses/")) else MODEL
TEXT = "Hello from the harbour: é, 漢字, 🚢."
AFTER = "It is 24 degrees in Oslo."
CALL = {"city": "Oslo", "days": 2, "note": "é \"quoted\" 🚢"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "note": {"type": "string"}}, "required": ["city"]}
NONE = {"type": "object", "properties": {}}
FACTS = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city", "days"], "additionalProperties": False}
# One white pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
PIXELS = base64.b64decode(PIXEL)
DATA_URL = f"data:image/png;base64,{PIXEL}"
FUNCTIONS = [
    {"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "time", "description": "The time", "parameters": NONE}},
]
CHECKS = []
# The longest that a check may take, in seconds: most take less than one.
LONGEST = 90


def check(f):
    CHECKS.append(f)
    return f


def same(got, wanted):
    assert got == wanted, f"{got!r} is not {wanted!r}"


def raises(kind, f, status=None):
    """Runs what has to fail with this kind of error, and its status where the kind does not say."""
    try:
        f()
    except kind as error:
        if status is not None:
            same(next(v for v in (getattr(error, n, None) for n in ("status_code", "code", "status")) if v is not None), status)
        return
    raise AssertionError(f"no {kind.__name__}")


def user(text):
    return [{"role": "user", "content": text}]


def is_facts(value):
    same((type(value["city"]), type(value["days"])), (str, int))


def saw_pixel(text):
    assert "image/png" in text, text


class Overdue(BaseException):
    """No error that a client would catch and ask again for."""


def overdue(*_):
    faulthandler.dump_traceback(all_threads=True)
    raise Overdue(f"nothing came of it in {LONGEST} s")


def attempt(run):
    """Runs a check in its time. Some clients would wait forever, and some threads of theirs cannot be interrupted."""
    faulthandler.dump_traceback_later(2 * LONGEST, exit=True)
    signal.alarm(LONGEST)
    try:
        run()
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
        gc.collect()


def conclude():
    failed = 0
    # Streams that LiteLLM leaves are closed by the garbage collector; where that comes in the middle of what holds the lock
    # of httpcore's pool, closing waits for that same lock, forever. So it comes between the checks.
    gc.disable()
    signal.signal(signal.SIGALRM, overdue)
    for run in CHECKS:
        begun = time.monotonic()
        try:
            attempt(run)
            print(f"ok      {run.__name__}  {time.monotonic() - begun:.2f} s", flush=True)
        except (Exception, Overdue):  # noqa: BLE001
            failed += 1
            print(f"FAILED  {run.__name__}", flush=True)
            traceback.print_exc(limit=-3)
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} checks hold", flush=True)
    sys.stderr.flush()
    # What threads of the clients may still be at is not waited for.
    os._exit(failed > 0)
