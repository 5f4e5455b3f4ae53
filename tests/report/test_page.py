"""The report as a document: what is in it, and what must never be in it."""

import base64
import io
import re
import time
from html.parser import HTMLParser

import pytest
from PIL import Image

from trainer_core.report.write import write_report
from trainer_core.run.directory import create_run
from trainer_core.run.lines import encode_line

VOID = {"img", "meta", "line", "polyline"}
FETCHING = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}


class Page(HTMLParser):
    """The elements of a page; that they are nested rightly is checked on the way."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def page(told):
    def read(*arguments, **options):
        run = told(*arguments, **options)
        return Page(write_report(run).read_text(encoding="utf-8"))

    return read


def test_everything_that_a_person_looks_for_is_there(page):
    shown = page()
    for words in (
        "✓ done",
        "A whole model by DreamBooth on base-model.safetensors, 256 x 256. It learned sls frog.",
        "400 of 400",
        "output/last.safetensors 2.1 GB",
        "Copy last.safetensors to models/Stable-diffusion",
        "models/checkpoints",
        'StableDiffusionPipeline.from_single_file("output/last.safetensors")',
        "from step 200 on, 2027-01-15 08:01 UTC; changed: train.max_steps: 300 → 400",
        "resumed at 200",
        "at most 9.9 GB of 12.0 GB",
        "Before and after",
        "“sls frog in the snow”, seed 7",
        "12 pictures a pass",
        "3_sls frog/0.png",
        "optimizer.learning_rate",
        "learning_rate = 2e-06",
        "RTX <3060>",
        "torch 2.13.0",
    ):
        assert words in shown.text, words
    assert len(shown.all("polyline")) == 2 + 2 + 1  # loss raw and smoothed, two rates, memory
    assert {each["class"] for each in shown.all("polyline")} == {"raw", "main", "second"}


def test_it_needs_nothing_from_elsewhere_and_runs_nothing(page):
    shown = page()
    assert not {"script", "link", "iframe", "object", "embed", "form", "a"} & {name for name, _ in shown.elements}
    for name, attributes in shown.elements:
        assert not [key for key in attributes if key.startswith("on")]
        for key in FETCHING & attributes.keys():
            assert (name, key) == ("img", "src")
            assert attributes[key].startswith("data:image/jpeg;base64,")
    assert "default-src 'none'" in str(shown.all("meta"))


def test_what_came_from_outside_is_text_and_nothing_else(told):
    run = told()
    text = write_report(run).read_text(encoding="utf-8")
    assert not re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f]", text)
    shown = Page(text)
    assert 'a frog <script>alert("x")</script> & \\u202egnp.\\u202c \\x1b[31mred</b> [bold]' in shown.text
    assert any("<script>" in (image["alt"] or "") for image in shown.all("img"))


def test_nothing_of_the_machine_is_in_it(told, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_" + "t" * 30)
    monkeypatch.setenv("MY_API_KEY", "correct horse battery")
    run = told(6)
    events = run.events.read_bytes().replace(
        b"another ", b"correct horse battery hf_tttttttttttttttttttttttttttttt "
    )
    run.events.write_bytes(events)
    text = write_report(run).read_text(encoding="utf-8")
    for private in (str(tmp_path), "private place", "/home/somebody", "secret-host", "/opt/venv", "hf_t", "horse"):
        assert private not in text, private
    assert "thing.png" in text


def test_pictures_are_small_and_of_the_right_steps(page):
    shown = page()
    images = shown.all("img")
    assert len(images) == 4 + 2 * 5 + 4  # two pairs, two rows of steps 0 to 400, four pictures of the dataset
    for attributes in images:
        assert attributes["alt"]
        with Image.open(io.BytesIO(base64.b64decode(attributes["src"].partition(",")[2]))) as picture:
            assert max(picture.size) <= 448
            assert not picture.getexif()
    assert "before training step 400" in shown.text
    assert re.search(r"Pictures by the size that they are trained at: (\d+ x \d+): 4\..* \1 3_sls", shown.text)


def test_without_a_first_preview_it_says_how_to_get_one(page):
    shown = page(before=False)
    assert "set sample.before_training = true" in shown.text
    assert len(shown.all("img")) == 2 * 4 + 4


@pytest.mark.parametrize(
    ("exit_code", "steps", "words"),
    [
        (75, 150, "■ stopped"),
        (6, 150, "✗ failed (exit code 6)"),
        (None, 150, "✗ crashed"),
        (2, 0, "No step was trained."),
        (0, 1, "✓ done"),
    ],
)
def test_every_ending_has_its_page(page, exit_code, steps, words):
    shown = page(exit_code, steps=steps)
    assert words in shown.text
    if exit_code == 6:
        assert "another <b>problem</b> with …/thing.png" in shown.text


def test_a_run_of_which_little_is_left(told, tmp_path):
    bare = create_run(tmp_path / "runs", "bare", "this is no TOML, /etc/passwd\n")
    shown = Page(write_report(bare).read_text(encoding="utf-8"))
    assert "· not started" in shown.text
    assert "/etc" not in shown.text
    run = told()
    for path in run.samples.iterdir():
        path.unlink()
    for path in (run.process_json, run.path / "dataset.json"):
        path.write_text('{"folders": [1], "gpu": 3, "versions": [], "pictures": [{"jpeg": "\\"><script>"}]}')
    run.events.write_bytes(b'{"kind":"step","step":"x","loss":[]}\n{"kind":"finished"}\n[1]\n{"kind":"sample"}\n')
    shown = Page(write_report(run).read_text(encoding="utf-8"))
    assert not shown.all("img")
    assert not shown.all("script")


def test_pictures_outside_of_the_samples_folder_are_not_read(told, tmp_path):
    run = told()
    (tmp_path / "runs" / "secret.png").write_bytes((run.samples / "000000-0.png").read_bytes())
    for preview in run.samples.glob("*-1.png"):
        preview.unlink()
        preview.symlink_to(tmp_path / "runs" / "secret.png")
    text = run.events.read_text().replace("samples/000400-0.png", "../secret.png")
    run.events.write_text(text)
    shown = Page(write_report(run).read_text(encoding="utf-8"))
    assert len(shown.all("img")) == 1 + 4 + 4  # the pair's first, four of five in the row, the dataset
    assert "This picture is not there any more" in shown.text


def test_a_long_run_is_a_small_page_soon(told):
    run = told(steps=230)
    lines = run.events.read_text().splitlines()
    step = next(line for line in lines if '"kind":"step"' in line)
    many = [step.replace('"step":1,', f'"step":{number},') for number in range(1, 50_001)]
    sample = next(line for line in lines if '"kind":"sample"' in line)
    many += [
        sample.replace('"step":0,', f'"step":{number},').replace('"seed":7', f'"seed":{seed}')
        for number in range(0, 50_001, 500)
        for seed in range(40)
    ]
    run.events.write_text("\n".join(many) + "\n")
    started = time.process_time()
    size = write_report(run).stat().st_size
    assert time.process_time() - started < 20
    assert size < 3 * 2**20


def test_the_suggested_model_is_named_with_its_numbers_and_marked_in_the_sheet(told):
    run = told()
    numbers = [(0, 0.3, 0.0), (200, 0.2, 0.05), (300, 0.199, 0.4), (400, 0.198, 0.9)]
    with run.events.open("ab") as file:
        for step, loss, drift in numbers:
            measured = {"loss": loss, "drift": drift, "held_out": 0, "measure": "m"}
            file.write(encode_line({"kind": "validation", "step": step, **measured}))
            file.write(
                encode_line({"kind": "saved", "step": step, "path": f"/x/<b>/{step}.safetensors"}) * bool(step)
            )
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert (
        "Suggested: 200.safetensors (step 200): the loss on the training pictures has fallen by 98%" in page.text
    )
    assert "0 the start model 0.3000 0.0% 200 ★ 200.safetensors 0.2000 5.0% 300 300.safetensors" in page.text
    assert "step 100 step 200 ★ step 300 ✓ step 400 ✓" in page.text
    assert {"class": "second"} in [{"class": each.get("class")} for each in page.all("polyline")]


def test_a_single_model_is_not_suggested(page):
    assert "Only one model was saved; save.every_n_steps gives more to compare." in page().text
