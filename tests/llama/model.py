"""Makes a model file: a llama of two layers with random weights, the same in every run. It says nonsense in printable
characters, by the very code with which llama.cpp runs a real one.

usage: model.py FILE
"""
import sys

import gguf
import numpy

WIDTH, HEADS, INNER, LAYERS, CONTEXT = 64, 4, 128, 2, 2048
PRINTABLE = [chr(c) for c in range(0x20, 0x7F)]
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"

tokens, kinds = ["<unk>", "<s>", "</s>"], [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
for byte in range(256):
    tokens.append(f"<0x{byte:02X}>")
    kinds.append(gguf.TokenType.BYTE)
for character in PRINTABLE:
    # SentencePiece writes a space so.
    tokens.append("\u2581" if character == " " else character)
    kinds.append(gguf.TokenType.NORMAL)

random = numpy.random.default_rng(7)


def weights(*shape):
    return (random.standard_normal(shape) / numpy.sqrt(shape[-1])).astype(numpy.float32)


file = gguf.GGUFWriter(sys.argv[1], "llama")
file.add_name("nonsense")
file.add_context_length(CONTEXT)
file.add_embedding_length(WIDTH)
file.add_block_count(LAYERS)
file.add_feed_forward_length(INNER)
file.add_head_count(HEADS)
file.add_head_count_kv(HEADS)
file.add_rope_dimension_count(WIDTH // HEADS)
file.add_layer_norm_rms_eps(1e-5)
file.add_vocab_size(len(tokens))
file.add_file_type(gguf.LlamaFileType.ALL_F32)
file.add_tokenizer_model("llama")
file.add_tokenizer_pre("default")
file.add_token_list(tokens)
file.add_token_scores([0.0] * len(tokens))
file.add_token_types(kinds)
file.add_bos_token_id(1)
file.add_eos_token_id(2)
file.add_unk_token_id(0)
file.add_add_space_prefix(False)
file.add_chat_template(TEMPLATE)

# What stands in no row of the last matrix gets a logit of zero, and the largest of many random ones is above it: only
# printable characters are said, and no end, until a limit or a grammar leaves nothing else.
last = numpy.zeros((len(tokens), WIDTH), dtype=numpy.float32)
last[-len(PRINTABLE):] = weights(len(PRINTABLE), WIDTH) * 4
file.add_tensor("token_embd.weight", weights(len(tokens), WIDTH) * 8)
file.add_tensor("output_norm.weight", numpy.ones(WIDTH, dtype=numpy.float32))
file.add_tensor("output.weight", last)
for layer in range(LAYERS):
    for name, shape in {
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (WIDTH, WIDTH),
        "attn_v": (WIDTH, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_gate": (INNER, WIDTH),
        "ffn_up": (INNER, WIDTH),
        "ffn_down": (WIDTH, INNER),
    }.items():
        file.add_tensor(f"blk.{layer}.{name}.weight", weights(*shape))
    for name in ["attn_norm", "ffn_norm"]:
        file.add_tensor(f"blk.{layer}.{name}.weight", numpy.ones(WIDTH, dtype=numpy.float32))

file.write_header_to_file()
file.write_kv_data_to_file()
file.write_tensors_to_file()
file.close()
