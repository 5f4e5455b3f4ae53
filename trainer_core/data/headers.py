"""Is a picture file whole? Answered from headers, lengths and trailers, without decoding a pixel.

Layouts: PNG (W3C, third edition), JPEG (ITU-T T.81 annex B), GIF89a, RIFF/WebP (RFC 9649), BMP.
"""

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers that carry no length: TEM, RST0 to RST7, SOI."""

_JPEG_START_OF_SCAN = 0xDA
_JPEG_END = b"\xff\xd9"
_BLOCK = 1 << 20

_OTHER_PICTURES = (
    (b"%!PS", "an EPS or PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "an EPS file"),
    (b"8BPS", "a Photoshop file"),
    (b"II*\x00", "a TIFF or camera raw file"),
    (b"MM\x00*", "a TIFF or camera raw file"),
    (b"\xff\x0a", "a JPEG XL file"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL file"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 file"),
    (b"%PDF", "a PDF file"),
)
_READ = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"})


def other_picture(head: bytes) -> str | None:
    """Name the format of a picture or drawing that is not read, from its first bytes; None if it is none."""
    if is_markup(head) and b"<svg" in head.lower():
        return "an SVG drawing"
    return next((name for magic, name in _OTHER_PICTURES if head.startswith(magic)), None)


def is_heif(head: bytes) -> bool:
    """Whether the first bytes are those of HEIC or HEIF (ISO/IEC 23008-12), as iPhones write it."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS


def is_markup(head: bytes) -> bool:
    """Whether the first bytes are those of HTML or XML, as a failed download leaves them."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def looks_like_picture(head: bytes) -> bool:
    """Whether the first bytes are those of a format that is read."""
    return head.startswith(_READ) or head[4:12] in {b"ftypavif", b"ftypavis"}


def missing_end(file: BinaryIO, form: str, size: tuple[int, int]) -> str | None:
    """Say what is missing at the end of a picture in Pillow's format `form`, or None if it is whole.

    AVIF and HEIF need no check: their decoders refuse a file that is cut off when it is opened.
    """
    length = file.seek(0, os.SEEK_END)
    if form in {"JPEG", "MPO"}:
        return None if _jpeg_is_whole(file, length) else "the end-of-image marker is missing"
    if form == "PNG":
        return None if _png_is_whole(file, length) else "the IEND chunk is missing"
    if form == "GIF":
        return None if _gif_is_whole(file, length) else "the first picture does not end"
    promised = _promised_length(file, form, size)
    return f"{length:,} of {promised:,} bytes are there" if length < promised else None


def png_exif(file: BinaryIO) -> bytes | None:
    """The EXIF of a PNG, also where it stands behind the pixels and reading the header does not see it."""
    for kind, position, size in _png_chunks(file):
        if kind == b"eXIf":
            file.seek(position)
            return file.read(size)
    return None


def _promised_length(file: BinaryIO, form: str, size: tuple[int, int]) -> int:
    file.seek(0)
    head = file.read(54)
    if form == "WEBP":
        return int(struct.unpack_from("<I", head, 4)[0]) + 8
    if form == "BMP" and len(head) == 54 and struct.unpack_from("<I", head, 30)[0] == 0:  # uncompressed
        offset, depth = struct.unpack_from("<I", head, 10)[0], struct.unpack_from("<H", head, 28)[0]
        return int(offset + (size[0] * depth + 31) // 32 * 4 * size[1])
    return 0


def _png_is_whole(file: BinaryIO, length: int) -> bool:
    file.seek(max(0, length - 12))
    return file.read(12)[4:8] == b"IEND" or any(kind == b"IEND" for kind, _, _ in _png_chunks(file))


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind, position and size of the data of each chunk that is whole."""
    length = file.seek(0, os.SEEK_END)
    start = 8  # the signature
    while start + 12 <= length:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        start += 12 + size
        if start <= length:
            yield kind, start - size - 4, size


def _jpeg_is_whole(file: BinaryIO, length: int) -> bool:
    file.seek(max(0, length - 2))
    if file.read(2) == _JPEG_END:
        return True
    start = _jpeg_scan_start(file)  # cameras append films and notes; a thumbnail's own end comes before the scan
    return start is not None and _contains(file, start, _JPEG_END)


def _jpeg_scan_start(file: BinaryIO) -> int | None:
    file.seek(2)
    while len(marker := file.read(2)) == 2 and marker[0] == 0xFF:
        if marker[1] == 0xFF:  # padding
            file.seek(-1, os.SEEK_CUR)
        elif marker[1] == _JPEG_START_OF_SCAN:
            return file.tell()
        elif marker[1] not in _JPEG_ALONE:
            file.seek(int.from_bytes(file.read(2)) - 2, os.SEEK_CUR)
    return None


def _contains(file: BinaryIO, start: int, wanted: bytes) -> bool:
    file.seek(start)
    tail = b""
    while block := file.read(_BLOCK):
        if wanted in tail + block:
            return True
        tail = block[1 - len(wanted) :]
    return False


def _gif_is_whole(file: BinaryIO, length: int) -> bool:
    """Whether the blocks of a GIF run past its first picture, the only one that is used."""
    file.seek(10)
    flags = file.read(3)[:1]
    file.seek(13 + _color_table(flags))
    while introducer := file.read(1):
        if introducer == b"!":  # an extension: its label, then sub-blocks
            file.seek(1, os.SEEK_CUR)
        elif introducer == b",":
            file.seek(8, os.SEEK_CUR)
            file.seek(_color_table(file.read(1)) + 1, os.SEEK_CUR)  # colours, then the code size
        else:
            return False
        if not _skip_sub_blocks(file, length):
            return False
        if introducer == b",":
            return True
    return False


def _color_table(flags: bytes) -> int:
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _skip_sub_blocks(file: BinaryIO, length: int) -> bool:
    while count := file.read(1):
        if count == b"\0":
            return file.tell() <= length
        file.seek(count[0], os.SEEK_CUR)
    return False
