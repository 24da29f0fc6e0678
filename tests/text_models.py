"""Tiny language models of random weights, and what they compute, without KerasHub."""

import json
import math

import numpy as np
import pytest

WORDS = ["a", "cat", "dog", "sat", "on", "the", "mat", "war", "in", "space"]
VOCABULARY = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
WIDTH, HEADS, LAYERS = 8, 2, 1


def make_tokenizer():
    """Return a tokenizer of whole words with the special tokens of BERT."""
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.WordLevel(VOCABULARY, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def make_weights(seed=0):
    """Return the weights of a BERT by the names of Hugging Face."""
    generator = np.random.default_rng(seed)

    def draw(*shape):
        return generator.normal(0, 0.5, shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": draw(len(VOCABULARY), WIDTH),
        "embeddings.position_embeddings.weight": draw(32, WIDTH),
        "embeddings.token_type_embeddings.weight": draw(2, WIDTH),
        "pooler.dense.weight": draw(WIDTH, WIDTH),
        "pooler.dense.bias": draw(WIDTH),
    }
    sizes = {"intermediate.dense": (2 * WIDTH, WIDTH), "output.dense": (WIDTH, 2 * WIDTH)}
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            sizes[f"attention.{part}"] = (WIDTH, WIDTH)
        for name, (n_out, n_in) in sizes.items():
            weights |= {
                f"{prefix}{name}.weight": draw(n_out, n_in),
                f"{prefix}{name}.bias": draw(n_out),
            }
        norms += [f"{prefix}attention.output.LayerNorm", f"{prefix}output.LayerNorm"]
    for norm in norms:
        weights |= {f"{norm}.weight": 1 + draw(WIDTH), f"{norm}.bias": draw(WIDTH)}
    return weights


def write_folder(folder, *, pooling=None, max_length=None, seed=0):
    """Write a model in the layout of Hugging Face; return its weights."""
    pytest.importorskip("keras_hub")
    write = pytest.importorskip("safetensors.numpy").save_file
    weights = make_weights(seed)
    folder.mkdir(exist_ok=True)
    write(weights, folder / "model.safetensors")
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": len(VOCABULARY),
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "max_position_embeddings": 32,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-3,
    }
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = make_tokenizer()
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]", length=12)
    tokenizer.enable_truncation(max_length or 16)
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    if pooling is not None:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({pooling: True}))
    return weights


def _normalize(x, weights, name):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def token_vectors(weights, ids):
    """Return what the BERT of `write_folder` computes for the ids of one text, in float64."""
    weights = {name: weight.astype(np.float64) for name, weight in weights.items()}
    gelu = np.vectorize(lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2)
    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    x = _normalize(x, weights, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."

        def dense(name, x, prefix=prefix):
            return x @ weights[f"{prefix}{name}.weight"].T + weights[f"{prefix}{name}.bias"]

        parts = [dense(f"attention.self.{part}", x) for part in ("query", "key", "value")]
        query, key, value = (part.reshape(len(ids), HEADS, -1).swapaxes(0, 1) for part in parts)
        scores = query @ key.swapaxes(1, 2) / math.sqrt(WIDTH / HEADS)
        attention = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
        mixed = (attention @ value).swapaxes(0, 1).reshape(len(ids), WIDTH)
        name = f"{prefix}attention.output"
        x = _normalize(x + dense("attention.output.dense", mixed), weights, f"{name}.LayerNorm")
        inner = gelu(dense("intermediate.dense", x))
        x = _normalize(x + dense("output.dense", inner), weights, f"{prefix}output.LayerNorm")
    return x
