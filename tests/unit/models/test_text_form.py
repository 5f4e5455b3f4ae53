"""Reading of texts: their parts, their tokenizer, and what is refused before a model is loaded."""

import json
import shutil

import pytest
import torch

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.configs import write_tokenizer
from trainer_core.models.family import family_named, joined_parts
from trainer_core.models.fingerprint import fingerprint
from trainer_core.models.hub import choose_tokenizer_files
from trainer_core.models.load import load_model
from trainer_core.models.preflight import check_model
from trainer_core.models.save import save_model
from trainer_core.models.sniff import sniff
from trainer_core.models.text_form import TextForm
from trainer_core.models.tokenizer import BOS_ID, BOS_TOKEN, EOS_ID, EOS_TOKEN, encode
from trainer_core.models.tokenizer_files import read_tokenizer

DOG = 1929
OTHER = {"!": 0, "d": 1, "o": 2, "g": 3, "g</w>": 4, "og</w>": 5, "dog</w>": 6, BOS_TOKEN: 7, EOS_TOKEN: 8}


@pytest.fixture
def other_tokenizer(tmp_path):
    """A tokenizer of nine tokens that knows one word."""
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(OTHER))
    (folder / "merges.txt").write_text("#version: 0.2\no g</w>\nd og</w>\n")
    return folder


@pytest.fixture
def shuffled_tokenizer(tmp_path):
    """CLIP's tokenizer with two words' numbers exchanged."""
    folder = tmp_path / "model" / "tokenizer"
    write_tokenizer(folder, EOS_TOKEN)
    ids = json.loads((folder / "vocab.json").read_text())
    ids["dog</w>"], ids["cat</w>"] = ids["cat</w>"], ids["dog</w>"]
    (folder / "vocab.json").write_text(json.dumps(ids))
    return folder


@pytest.mark.parametrize(("family", "pad"), [("sd1", EOS_ID), ("sd2", 0)])
def test_each_part_is_a_text_of_its_own(family, pad):
    kind = family_named(family).reading(TextForm(parts=2))
    short, full, over = kind.tokenize(["dog", "dog " * 75, "dog " * 200])
    empty = [BOS_ID, EOS_ID, *[pad] * 75]
    whole = [BOS_ID, *[DOG] * 75, EOS_ID]
    assert short == [BOS_ID, DOG, EOS_ID, *[pad] * 74, *empty]
    assert full == [*whole, *empty]
    assert over == [*whole, *whole]
    assert TextForm(parts=2).too_long(["dog " * 150, "dog " * 151]) == [False, True]


def test_one_part_is_what_it_always_was():
    texts = ["a photo of sks dog", "", "word " * 100]
    assert family_named("sd1").tokenize(texts) == encode(texts)


def test_unfilled_texts_are_filled_to_the_longest_of_them():
    kind = family_named("sd2").reading(TextForm(is_filled=False))
    assert kind.tokenize(["dog", "dog dog"]) == [[BOS_ID, DOG, EOS_ID, 0], [BOS_ID, DOG, DOG, EOS_ID]]
    assert kind.tokenize([""]) == [[BOS_ID, EOS_ID]]
    assert [len(row) for row in kind.tokenize(["dog " * 100])] == [77]


def test_parts_are_joined_by_their_bodies():
    parts = torch.arange(2 * 3 * 77.0).reshape(2, 3, 77, 1).requires_grad_()
    joined = joined_parts(parts)[..., 0]
    assert joined.shape == (2, 227)
    for row, numbers in zip(joined, parts[..., 0], strict=True):
        expected = [numbers[0, 0], *numbers[0, 1:76], *numbers[1, 1:76], *numbers[2, 1:76], numbers[2, 76]]
        assert row.tolist() == expected
    joined.sum().backward()
    assert parts.grad[..., 0].sum(dim=2).tolist() == [[76, 75, 76]] * 2


def test_another_tokenizer_is_read_from_its_folder_or_the_models(other_tokenizer):
    assert read_tokenizer(other_tokenizer).encode(["Dog dog"], 6, pad_id=0) == [[7, 6, 6, 8, 0, 0]]
    other_tokenizer.rename(other_tokenizer.parent / "tokenizer")
    assert read_tokenizer(other_tokenizer.parent).split(["dog"]) == [[6]]


def test_it_is_used_with_the_model_and_written_with_it(shuffled_tokenizer, saved, tmp_path):
    base = str(saved("sd1", "safetensors"))
    model = load_model(ModelSettings(base=base, tokenizer=str(shuffled_tokenizer.parent)))
    assert model.family.tokenize(["dog"]) == encode(["cat"])
    (folder,) = save_model(model, tmp_path / "out", format="diffusers").paths
    assert load_model(ModelSettings(base=base, tokenizer=str(folder))).family.tokenize(["cat"]) == encode(["dog"])


def test_a_model_with_another_tokenizer_draws_other_class_pictures(shuffled_tokenizer, saved):
    base = str(saved("sd1", "safetensors"))
    names = (None, str(shuffled_tokenizer), str(saved("sd1", "diffusers")))
    marks = [fingerprint(ModelSettings(base=base, tokenizer=name), sniff(base)) for name in names]
    assert len(set(marks)) == 3


def problems(**settings):
    return check_model(ModelSettings.model_validate(settings))[1]


def test_a_tokenizer_that_does_not_fit_is_refused_before_and_at_the_load(other_tokenizer, saved):
    for form in ("safetensors", "diffusers"):
        base = str(saved("sd1", form))
        (error,) = problems(base=base, tokenizer=str(other_tokenizer))
        assert "this tokenizer has 9 tokens and the text encoder of the start model knows 49,408" in str(error)
        assert error.code is ExitCode.MODEL
    with pytest.raises(UserError, match="9 tokens"):  # a .ckpt tells at the load only
        load_model(ModelSettings(base=base, tokenizer=str(other_tokenizer)))
    assert problems(base=base, tokenizer=base) == []


@pytest.mark.parametrize(
    "damage", ["merges.txt", "vocab.json", "all", "json", "holes", "marks", "lines", "strange", "file"]
)
def test_a_damaged_tokenizer_is_one_message_that_names_the_file(damage, other_tokenizer):
    named, words = (
        other_tokenizer,
        {
            "merges.txt": "no merges.txt here",
            "vocab.json": "no vocab.json here",
            "all": "there is no such file or folder",
            "json": "vocab.json: is not JSON",
            "holes": "does not number its tokens",
            "marks": r"lacks <\|startoftext\|>",
            "lines": "merges.txt: does not hold two parts",
            "strange": "its files do not belong together",
            "file": "a tokenizer is a folder",
        }[damage],
    )
    match damage:
        case "merges.txt" | "vocab.json":
            (other_tokenizer / damage).unlink()
        case "all":
            shutil.rmtree(other_tokenizer)
        case "json":
            (other_tokenizer / "vocab.json").write_text("{")
        case "holes":
            (other_tokenizer / "vocab.json").write_text(json.dumps({**OTHER, "d": 99}))
        case "marks":
            (other_tokenizer / "vocab.json").write_text('{"a": 0}')
        case "lines":
            (other_tokenizer / "merges.txt").write_text("o\n")
        case "strange":
            (other_tokenizer / "merges.txt").write_text("o q</w>\n")
        case "file":
            named = other_tokenizer / "vocab.json"
    (error,) = problems(tokenizer=str(named))
    with pytest.raises(UserError, match=words):
        raise error
    assert len(error.problems) == 1


@pytest.mark.parametrize(
    ("kind", "form", "clip_skip", "words"),
    [
        ("sd1", "safetensors", 3, "use 1 to 2"),
        ("sd1", "diffusers", 3, "use 1 to 2"),
        ("sd2-v", "safetensors", 1, "use 2 to 3"),
        ("sd2-v", "diffusers", 4, "use 2 to 3"),
        ("sd2-v", "safetensors", 3, None),
    ],
)
def test_an_impossible_clip_skip_is_told_from_the_header(kind, form, clip_skip, words, saved):
    found = problems(base=str(saved(kind, form)), clip_skip=clip_skip)
    assert [words in str(error) for error in found] == [True] * (words is not None)
    assert all(error.code is ExitCode.CONFIG for error in found)


def test_the_files_of_a_repository_that_make_a_tokenizer():
    own, below = ["vocab.json", "merges.txt"], ["tokenizer/vocab.json", "tokenizer/merges.txt"]
    assert choose_tokenizer_files(["README.md", *own]) == own
    assert choose_tokenizer_files([*own, *below, "unet/config.json"]) == below
    assert choose_tokenizer_files(["vocab.json", "tokenizer.json"]) == []
