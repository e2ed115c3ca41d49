"""llama.cpp's own server, from its wheel: says where it is and serves until it is ended. usage: serve.py MODEL"""
import signal
import sys

import xllamacpp

about = xllamacpp.CommonParams()
about.model.path = sys.argv[1]
about.model_alias = "nonsense"
about.port = 0
about.n_ctx = 2048
about.n_parallel = 1
about.warmup = False
about.use_jinja = True
# Several wait for each other by spinning, which takes for ever where the machine is busy with something else.
about.cpuparams.n_threads = 1
about.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(about)
print(server.listening_address, flush=True)
signal.pause()
