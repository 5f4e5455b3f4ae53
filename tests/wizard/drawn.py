"""Pictures drawn for the tests of the wizard: the same bytes everywhere."""

from pathlib import Path

from PIL import Image


def draw(folder: Path, count: int = 3, size: tuple[int, int] = (640, 512), name: str = "frog") -> list[Path]:
    """Draw `count` pictures of one colour each, frog-0.png and so on; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}-{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", size, (40 * number % 256, 120, 200)).save(path)
    return paths


def break_off(path: Path) -> Path:
    """Draw a picture that ends too early, as after a copy that was cut off."""
    whole = path.with_suffix(".whole.png")
    Image.effect_noise((256, 256), 50).save(whole)
    data = whole.read_bytes()
    whole.unlink()
    path.write_bytes(data[: len(data) // 2])
    return path
