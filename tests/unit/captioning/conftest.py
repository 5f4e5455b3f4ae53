"""A WD tagger of two numbers and a BLIP of random ones, small enough to be made in a test."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

SIDE = 8
TAGS = [  # name, category, which mean of a channel (blue, green, red) its probability is
    ("general", "9", "green"),
    ("green_frog", "0", "green"),
    ("red_hair", "0", "red"),
    ("^_^", "0", "green"),
    ("sls_(character)", "4", "blue"),
    ("someone", "1", "green"),
]


@pytest.fixture
def picture_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write plain pictures, `name: colour`, into a folder."""

    def write(where: str = "pictures", size: tuple[int, int] = (64, 64), **colours: tuple[int, int, int]) -> Path:
        folder = tmp_path / where
        folder.mkdir(parents=True, exist_ok=True)
        for name, colour in colours.items():
            Image.new("RGB", size, colour).save(folder / f"{name}.png")
        return folder

    return write


@pytest.fixture
def tagger(tmp_path: Path) -> Callable[..., Path]:
    """Write a tagger whose probabilities are the means of a channel / 255; return its folder."""

    def write(name: str = "tagger", batch: int | str = "N", tags: Any = TAGS, shape: Any = None) -> Path:
        import onnx
        from onnx import TensorProto, helper

        folder = tmp_path / name
        folder.mkdir()
        picks = numpy.zeros((3, len(TAGS)), numpy.float32)
        for column, (_, _, colour) in enumerate(TAGS):
            picks[("blue", "green", "red").index(colour), column] = 1 / 255
        nodes = [
            helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[1, 2], keepdims=0),
            helper.make_node("MatMul", ["means", "picks"], ["probabilities"]),
        ]
        graph = helper.make_graph(
            nodes,
            "tagger",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape or [batch, SIDE, SIDE, 3])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [batch, len(TAGS)])],
            [helper.make_tensor("picks", TensorProto.FLOAT, picks.shape, picks.tobytes(), raw=True)],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(made, str(folder / "model.onnx"))
        with (folder / "selected_tags.csv").open("w", newline="") as file:
            rows = [["tag_id", "name", "category", "count"]]
            rows += [[number, name, category, 100] for number, (name, category, _) in enumerate(tags)]
            csv.writer(file).writerows(rows)
        return folder

    return write


@pytest.fixture(scope="session")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BLIP with a vocabulary of frogs, in a folder as the Hub has it."""
    import torch
    from transformers import BlipConfig, BlipForConditionalGeneration

    folder = tmp_path_factory.mktemp("blip")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "a",
        "frog",
        "green",
        "on",
        "stone",
        "sits",
        "the",
        "##s",
    ]
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    text = {**sizes, "vocab_size": len(words) + 1, "encoder_hidden_size": 16, "max_position_embeddings": 96}
    ids = {"bos_token_id": len(words), "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    config = BlipConfig(
        text_config={**text, **ids},
        vision_config={**sizes, "image_size": 32, "patch_size": 16},
        projection_dim=16,
        initializer_range=1.0,
    )
    torch.manual_seed(3)
    BlipForConditionalGeneration(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    about = {"size": {"height": 32, "width": 32}, "resample": 3, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (folder / "preprocessor_config.json").write_text(
        json.dumps({**about, "image_processor_type": "BlipImageProcessor"})
    )
    return folder
