"""One folder's pictures with their captions, and every problem and remark about them."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trainer_core.config.schema import Dataset
from trainer_core.data.caption_texts import CaptionTexts
from trainer_core.data.captions import (
    DEFAULT_EXTENSIONS,
    Caption,
    CaptionError,
    extensions_of,
    index_captions,
    read_caption,
)
from trainer_core.data.checks import check_pictures, remarks_on
from trainer_core.data.dataset import Check, Fault, Picture, PictureFolder, Size
from trainer_core.data.filewords import is_drawn
from trainer_core.data.folder_names import EXAMPLES, FolderName, parse_folder_name, split_style
from trainer_core.data.folders import Source
from trainer_core.data.images import Header
from trainer_core.data.listing import UNREAD_FORMATS, Listing, counted, name_some, remark, stem_key

SHOWN = 10
"""Pictures without a caption that are named, where each needs one."""

_CONVERT = "Convert it to PNG or JPEG, or remove it"


@dataclass(slots=True, kw_only=True)
class FolderResult:
    """A folder as read, with what was found wrong (`faults`, `bad_images`) or remarkable (`notes`)."""

    folder: PictureFolder
    faults: list[Fault] = field(default_factory=list)
    bad_images: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


def read_folder(
    source: Source,
    listing: Listing,
    examined: Mapping[Path, Header | str],
    texts: CaptionTexts,
    dataset: Dataset,
) -> FolderResult:
    """Put the examined pictures of `source` together with their texts."""
    headers = {path: header for path in listing.pictures if not isinstance(header := examined[path], str)}
    bad = {path: text for path in listing.pictures if isinstance(text := examined[path], str)}
    bad |= {path: f"{UNREAD_FORMATS[path.suffix.lower()]} is not read. {_CONVERT}" for path in listing.unread}
    captions = _Captions(listing, extensions_of(dataset.caption_extension), texts)
    pictures = tuple(captions.of(path, header.size) for path, header in headers.items())
    result = FolderResult(
        folder=PictureFolder(
            path=source.path,
            kind=source.kind,
            repeats=source.repeats,
            identifier=source.identifier,
            class_name=source.class_name,
            prompt=source.prompt,
            pictures=pictures,
        ),
        faults=[*captions.faults, *captions.without(source.path)],
        bad_images=[Fault(path=path, text=text) for path, text in sorted(bad.items())],
        checks=check_pictures(headers, dataset),
    )
    if not pictures:
        result.faults.append(Fault(path=source.path, text=_why_none(source, listing, len(bad))))
    remarks = [
        *_about_names(source),
        *_about_entries(listing, pictures),
        *_about_headers(headers),
        *remarks_on(result.checks, dataset),
        *captions.remarks(),
    ]
    result.notes = [f"{source.path}: {remark}" for remark in remarks]
    return result


def _why_none(source: Source, listing: Listing, bad: int) -> str:
    if bad:
        return f"has no usable picture ({bad} cannot be used). Put pictures into it, or remove the folder"
    if any(isinstance(parse_folder_name(folder.name, source.kind), FolderName) for folder in listing.folders):
        setting = "train_dir" if source.kind == "train" else "reg_dir"
        return f'holds folders named like "{EXAMPLES[source.kind]}". Name it as dataset.{setting} instead'
    return "holds no pictures (PNG, JPEG, WebP, BMP, GIF, AVIF). Put some into it, or remove the folder"


class _Captions:
    """The texts of one folder: looked up picture by picture, then reported."""

    def __init__(self, listing: Listing, extensions: tuple[str, ...], texts: CaptionTexts) -> None:
        self.faults: list[Fault] = []
        self._listing = listing
        self._extensions = extensions
        self._texts = texts
        self._files = index_captions(listing.files, extensions)
        self._empty: list[Path] = []
        self._recoded: list[Path] = []
        self._nameless: list[Path] = []
        self._without: list[Path] = []
        self._read = {path: Caption((text,)) for path, text in listing.planned.items()}

    def of(self, path: Path, size: Size) -> Picture:
        """The picture with its text."""
        file = next(iter(self._files.get(stem_key(path), [])), None) if self._texts.reads_captions else None
        lines = () if file is None else self._caption(file).lines
        text = self._texts.of(path, lines, file.suffix if file else "")
        if not text.text:
            self._without.append(path)
        elif self._texts.by_name and not lines and text.source != "filename" and not is_drawn(path):
            self._nameless.append(path)
        return Picture(path=path, size=size, caption=text.text, caption_from=text.source)

    def _caption(self, file: Path) -> Caption:
        if file not in self._read:
            self._read[file] = Caption(())
            try:
                self._read[file] = caption = read_caption(file)
                if not caption.lines:
                    self._empty.append(file)
                if caption.encoding:
                    self._recoded.append(file)
            except CaptionError as error:
                self.faults.append(Fault(path=file, text=str(error)))
        return self._read[file]

    def without(self, folder: Path) -> list[Fault]:
        """The pictures that have no text at all; those whose caption cannot be read are told with it."""
        wrong = {stem_key(fault.path) for fault in self.faults}
        missing = [path for path in self._without if stem_key(path) not in wrong]
        if not missing or not self._texts.needs_words:
            return []
        text = (
            f"{counted(len(missing), 'picture')} without a caption ({name_some(missing, SHOWN)}). Write one into "
            "a file of the same name ending in .txt, set dataset.use_filename_as_caption, or take them out"
        )
        return [Fault(path=folder, text=text)]

    def remarks(self) -> list[str]:
        stems = {stem_key(path) for path in (*self._listing.pictures, *self._listing.unread)}
        orphans = [file for stem, files in self._files.items() for file in files if stem not in stems]
        doubles = [file for stem, files in self._files.items() for file in files[1:] if stem in stems]
        if not self._texts.reads_captions:
            return remark(
                "not used, since dataset.captions_for leaves these pictures out", self._unused(), "caption"
            )
        return [
            *remark("named by no words, so the folder's prompt is used", self._nameless),
            *remark("empty" if self._without else "empty, so the folder's prompt is used", self._empty, "caption"),
            *remark("UTF-16 or UTF-32 by their mark, and read as such", self._recoded, "caption"),
            *remark("without a picture of the same name", orphans, "caption"),
            *remark("not used, because another extension comes first", doubles, "caption"),
            *self._other_extension(),
        ]

    def _unused(self) -> list[Path]:
        stems = {stem_key(path) for path in self._listing.pictures}
        return [file for stem, files in self._files.items() for file in files if stem in stems]

    def _other_extension(self) -> list[str]:
        """Captions of the usual extensions that lie there unread while those that were asked for are missing."""
        if self._files:
            return []
        usual = tuple(extension for extension in DEFAULT_EXTENSIONS if extension not in self._extensions)
        stems = {stem_key(path) for path in self._listing.pictures}
        unread = [
            file
            for files in index_captions(self._listing.files, usual).values()
            for file in files
            if stem_key(file) in stems
        ]
        return remark(f"not used, since dataset.caption_extension is {self._extensions[0]}", unread, "caption")


def _about_names(source: Source) -> list[str]:
    if source.kind == "class" or not source.prompt:
        return []
    if source.prompt_from == "folder" and source.identifier is None:
        text = f'trained as the class "{source.class_name}" itself, without an identifier'
        return [f'{text}. For a subject, put the identifier first: "{source.repeats}_sls {source.class_name}"']
    if source.prompt_from == "folder" and split_style(source.prompt):
        of_class = f' of the class "{source.class_name}"' if source.class_name else ""
        return [f'read as a style{of_class}, with the identifier "{source.identifier}"']
    return []


def _about_entries(listing: Listing, pictures: tuple[Picture, ...]) -> list[str]:
    stems = Counter(stem_key(picture.path) for picture in pictures)
    twins = [picture.path for picture in pictures if stems[stem_key(picture.path)] > 1]
    return [
        *remark("not read, only what lies directly in the folder is", listing.folders, "folder"),
        *remark("the same name but for the extension, and so one caption for all of them", twins),
        *([f"hidden or system, ignored: {counted(listing.ignored, 'file')}"] if listing.ignored else []),
    ]


def _about_headers(headers: Mapping[Path, Header]) -> list[str]:
    def those(has: Callable[[Header], bool]) -> list[Path]:
        return [path for path, header in headers.items() if has(header)]

    return [
        *remark("animated, only the first frame is used", those(lambda header: header.animated)),
        *remark("in printing colours (CMYK), converted", those(lambda header: header.cmyk)),
        *remark("in another format than the name says, read all the same", those(lambda header: header.misnamed)),
    ]
