import json
import subprocess
import sys

import pytest

from trainer_core.models.configs import write_tokenizer
from trainer_core.models.tokenizer import (
    BOS_ID,
    EOS_ID,
    EOS_TOKEN,
    count_tokens,
    encode,
    split_ids,
    split_word,
    vocabulary,
)

TEXTS = [
    "a photo of sks dog",
    "",
    "  Two   spaces,\tand\nlines — CAPITALS, it's don't we'll ",
    "(masterpiece:1.2), 1girl, 2024, [bad], <lora:x:0.5> @#$%^&*",
    "犬のしゃしん, naïve café, İstanbul, 🐶👍🏽 ﬁ ½ Ǆ ß",
    "before <|endoftext|> after <|startoftext|>",
    "<|ENDOFTEXT|> a<|endoftext|>b",
    "word " * 100,
    "\u200b zero \ufeff width \x00 control",
    "a'S b'LL c're",
]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """transformers' tokenizer on the same vocabulary, as it is written into a Diffusers folder."""
    from transformers import CLIPTokenizer

    def build(pad_token):
        folder = tmp_path_factory.mktemp("tokenizer")
        write_tokenizer(folder, pad_token)
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)

    return build


@pytest.mark.parametrize(("pad_token", "pad_id"), [(EOS_TOKEN, EOS_ID), ("!", 0)])
def test_encodes_as_transformers_does(reference, pad_token, pad_id):
    tokenizer = reference(pad_token)
    expected = tokenizer(TEXTS, padding="max_length", max_length=77, truncation=True).input_ids
    assert tokenizer.pad_token_id == pad_id
    assert encode(TEXTS, pad_id=pad_id) == expected


def test_known_ids_of_clip():
    # Published with CLIP: "a photo of a cat" is 320 1125 539 320 2368.
    assert encode(["a photo of a cat"], max_length=8)[0] == [BOS_ID, 320, 1125, 539, 320, 2368, EOS_ID, EOS_ID]
    assert len(vocabulary().ids) == 49408
    assert len(vocabulary().merges) == 48894


def test_a_long_text_is_cut_and_still_ends():
    row = encode(["word " * 100])[0]
    assert len(row) == 77
    assert row[0] == BOS_ID
    assert row[-1] == EOS_ID
    assert EOS_ID not in row[:-1]
    assert count_tokens("word " * 100) == 100


def test_words_are_split_readably():
    assert split_word("sks") == ["sks</w>"]
    assert split_word("zwx") == ["z", "wx</w>"]
    assert split_word("é") == ["é</w>"]
    assert split_word("犬")[0].startswith("\\x")
    assert split_ids("sks") == [48136]


def test_the_tokenizer_loads_neither_torch_nor_transformers():
    code = (
        "import sys; from trainer_core.models import tokenizer, sniff, identifier; tokenizer.encode(['a']);"
        "print([m for m in ('torch', 'transformers', 'diffusers', 'huggingface_hub') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_token_command_as_json():
    command = [sys.executable, "-m", "dbtui", "token", "sks", "shs", "--json"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [word["verdict"] for word in report["words"]] == ["poor", "good"]
    assert "rifle" in " ".join(report["words"][0]["reasons"])
    assert report["suggestions"][:3] == ["shs", "sts", "scs"]
