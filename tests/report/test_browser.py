"""The report in a real browser: headless Chromium, spoken to over its DevTools pipe."""

import base64
import io
import json
import os
import select
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from trainer_core.report.write import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--disable-extensions", "--remote-debugging-pipe",
)  # fmt: skip
WHAT_IS_SHOWN = """
(() => {
  const box = each => { const b = each.getBoundingClientRect(); return [b.width, b.height]; };
  const all = selector => [...document.querySelectorAll(selector)];
  return {
    images: all('img').map(each => [...box(each), each.naturalWidth, each.complete]),
    lines: all('.frame polyline').map(box),
    labels: all('.frame .y').map(each => each.getBoundingClientRect().left),
    headings: all('h2').map(each => each.textContent),
    width: document.documentElement.scrollWidth, view: innerWidth, height: document.documentElement.scrollHeight,
    scripts: document.scripts.length,
    ink: getComputedStyle(document.body).color, ground: getComputedStyle(document.body).backgroundColor,
    smallest: Math.min(...all('main *').filter(each => each.children.length === 0 && each.textContent.trim())
      .map(each => parseFloat(getComputedStyle(each).fontSize))),
  };
})()
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium")


class Browser:
    """One page of a headless Chromium. `said` holds every event that it told."""

    def __init__(self, profile: Path) -> None:
        to_browser, self.writing = os.pipe()
        self.reading, from_browser = os.pipe()
        self.said, self.buffer, self.number, self.session = list[dict](), b"", 0, None

        def place_pipes() -> None:  # it reads from 3 and writes to 4
            os.setsid()
            first, second = os.dup(to_browser), os.dup(from_browser)
            os.dup2(first, 3)
            os.dup2(second, 4)
            for descriptor in (3, 4):
                os.set_inheritable(descriptor, True)

        command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, close_fds=False, preexec_fn=place_pipes, **quiet)
        os.close(to_browser)
        os.close(from_browser)
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        answer = self.wait(lambda each: each.get("id") == self.number)
        assert "error" not in answer, answer
        return answer["result"]

    def wait(self, is_it, timeout=60.0):
        deadline = time.monotonic() + timeout
        while True:
            while b"\0" in self.buffer:
                line, _, self.buffer = self.buffer.partition(b"\0")
                self.said.append(json.loads(line))
                if is_it(self.said[-1]):
                    return self.said[-1]
            assert select.select([self.reading], [], [], max(0.0, deadline - time.monotonic()))[0], "no answer"
            data = os.read(self.reading, 1 << 16)
            assert data, "the browser ended"
            self.buffer += data

    def show(self, address: str, width: int, height: int, scheme: str) -> dict:
        self.said.clear()
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        self.ask("Page.navigate", url=address)
        if not any(each.get("method") == "Page.loadEventFired" for each in self.said):
            self.wait(lambda each: each.get("method") == "Page.loadEventFired")
        return self.ask("Runtime.evaluate", expression=WHAT_IS_SHOWN, returnByValue=True)["result"]["value"]

    def picture(self, height: int, width: int) -> Image.Image:
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        data = self.ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        return Image.open(io.BytesIO(base64.b64decode(data)))

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.writing)
        os.close(self.reading)


@pytest.fixture
def browser(tmp_path):
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.close()


def methods(browser, *names):
    return [each for each in browser.said if each.get("method") in names]


def test_it_looks_right_on_a_desk_and_on_a_phone_by_day_and_by_night(told, browser, tmp_path):
    page = write_report(told())
    grounds = {}
    for name, width, height, scheme in (("desk", 1280, 900, "light"), ("phone", 375, 700, "dark")):
        shown = browser.show(page.as_uri(), width, height, scheme)
        requests = methods(browser, "Network.requestWillBeSent")
        addresses = [each["params"]["request"]["url"] for each in requests]
        assert [address for address in addresses if not address.startswith("data:")] == [page.as_uri()]
        assert methods(browser, "Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled") == []
        assert shown["scripts"] == 0
        assert shown["width"] <= shown["view"] == width  # nothing hangs out at the side
        assert len(shown["images"]) == 18
        assert all(w >= 90 and h >= 60 and natural >= 128 and done for w, h, natural, done in shown["images"])
        assert len(shown["lines"]) == 5
        assert all(w > width / 4 for w, _ in shown["lines"])
        assert sorted(h for _, h in shown["lines"])[-1] > 100
        assert min(shown["labels"]) >= 0
        assert shown["smallest"] >= 12  # pixels
        assert shown["headings"][-2:] == ["Settings", "Versions and machine"]
        grounds[scheme] = shown["ground"]
        picture = browser.picture(shown["height"], width)
        if kept := os.environ.get("DBTUI_SCREENSHOTS"):
            picture.save(Path(kept) / f"report-{name}.png")
        colours = picture.convert("RGB").getcolors(picture.width * picture.height)
        assert len(colours) > 5000  # it is drawn, pictures and all
        assert max(colours)[1] == tuple(int(part) for part in shown["ground"][4:-1].split(","))
    assert grounds["light"] != grounds["dark"]
