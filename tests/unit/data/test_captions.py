"""Captions: which file is used, whatever editor wrote it, and what is reported."""

import os
import unicodedata

import pytest

from trainer_core.data.captions import CaptionError, read_caption


@pytest.fixture
def folder(tmp_path, save_pictures):
    return save_pictures(tmp_path / "data" / "2_sls frog", 2)


def captions(result):
    return [(picture.caption, picture.caption_from) for picture in result.train[0].pictures]


def test_caption_comes_before_txt_and_the_folder_comes_last(folder, scan):
    (folder / "0.caption").write_text("from caption")
    (folder / "0.txt").write_text("from txt")
    result = scan(folder.parent)
    assert captions(result) == [("from caption", ".caption"), ("sls frog", "folder")]
    assert any("another extension comes first: 1 caption (0.txt)" in note for note in result.notes)
    (folder / "0.caption").unlink()
    assert captions(scan(folder.parent))[0] == ("from txt", ".txt")


@pytest.mark.parametrize("extension", ["tags", ".tags", ".TAGS"])
def test_a_named_extension_is_the_only_one(folder, scan, extension):
    (folder / "0.tags").write_text("from tags")
    (folder / "1.txt").write_text("from txt")
    result = scan(folder.parent, caption_extension=extension)
    assert captions(result) == [("from tags", ".tags"), ("sls frog", "folder")]


def test_captions_of_another_extension_than_asked_for_are_mentioned(folder, scan):
    (folder / "0.txt").write_text("x")
    assert any(
        "caption_extension is .tags: 1 caption" in n for n in scan(folder.parent, caption_extension="tags").notes
    )


def test_class_pictures_have_captions_too(folder, save_pictures, scan):
    reg = save_pictures(folder.parent.parent / "reg" / "1_frog", 1)
    (reg / "0.txt").write_text("a green frog")
    assert scan(folder.parent, reg.parent).classes[0].pictures[0].caption == "a green frog"


@pytest.mark.parametrize(
    ("content", "text", "encoding"),
    [
        (b"a frog\n", "a frog", None),
        (b"\xef\xbb\xbfa frog", "a frog", None),
        ("a frög".encode("utf-16"), "a frög", "UTF-16"),
        (b"\xfe\xff" + "a frög".encode("utf-16-be"), "a frög", "UTF-16"),
        ("a frög".encode("utf-32"), "a frög", "UTF-32"),
        (b"a frog,\r\n\r\n  sitting \non a leaf\n", "a frog, sitting on a leaf", None),
        (b"", "", None),
        (b" \n\t\n", "", None),
        (b"\xff\xfe", "", "UTF-16"),
    ],
)
def test_encodings_and_lines(tmp_path, content, text, encoding):
    (tmp_path / "a.txt").write_bytes(content)
    caption = read_caption(tmp_path / "a.txt")
    assert (caption.text, caption.encoding) == (text, encoding)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("ein grüner Frosch".encode("cp1252"), 'looks like Windows-1252: "ein grüner Frosch"'),
        ("カエルの写真".encode("cp932"), 'looks like Shift-JIS: "カエルの写真"'),
        (b"a\0b", "NUL"),
        ("a frog".encode("utf-16-le"), "NUL"),
        (b"\xff\xfea", "damaged"),
        (b"x" * 70_000, "70,000 bytes"),
    ],
)
def test_what_is_not_certain_is_a_fault_with_a_guess(folder, scan, content, words):
    (folder / "0.txt").write_bytes(content)
    result = scan(folder.parent)
    (fault,) = result.faults
    assert fault.path.name == "0.txt"
    assert words in fault.text


def test_a_caption_that_is_no_file_does_not_wait_for_ever(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(CaptionError, match="regular"):
        read_caption(tmp_path / "a.txt")


@pytest.mark.row(52)
def test_empty_and_orphaned_captions_are_mentioned(folder, scan):
    (folder / "0.txt").write_text("  \n")
    (folder / "readme.txt").write_text("x")
    result = scan(folder.parent)
    assert captions(result)[0] == ("sls frog", "folder")
    assert any("folder's prompt is used: 1 caption (0.txt)" in note for note in result.notes)
    assert any("without a picture of the same name: 1 caption (readme.txt)" in note for note in result.notes)


def test_pictures_of_one_stem_share_a_caption_and_are_mentioned(folder, scan, encode):
    (folder / "0.png").write_bytes(encode("PNG"))
    (folder / "0.txt").write_text("both")
    result = scan(folder.parent)
    assert [picture.caption for picture in result.train[0].pictures] == ["both", "both", "sls frog"]
    assert any("one caption for all of them: 2 pictures" in note for note in result.notes)


def test_a_caption_is_found_in_either_unicode_form(folder, scan, encode):
    (folder / (unicodedata.normalize("NFD", "grün") + ".jpg")).write_bytes(encode())
    (folder / (unicodedata.normalize("NFC", "grün") + ".txt")).write_text("green")
    assert scan(folder.parent).train[0].pictures[-1].caption == "green"
