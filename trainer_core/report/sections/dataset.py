"""What was trained on: folders, sizes, and pictures as the trainer saw them."""

from trainer_core.report.facts import Facts
from trainer_core.report.markup import Html, joined, tag
from trainer_core.report.pictures import data_uri
from trainer_core.report.seen import MOST_SHOWN, Seen, SeenPicture


def dataset(facts: Facts) -> Html:
    """Return the section of the dataset."""
    heading, seen = tag("h2", "Dataset"), facts.seen
    if seen is None:
        return tag("section", heading, tag("p", "The run ended before its dataset was read."))
    return tag(
        "section", heading, tag("p", f"{seen.formula}."), _folders(seen, facts), _sizes(seen), _sheet(seen, facts)
    )


def _folders(seen: Seen, facts: Facts) -> Html:
    names = ("Folder", "Pictures", "Repeats", "Trained as", "Prompt")
    header = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names)))
    rows = [
        tag(
            "tr",
            tag("th", folder.name, scope="row"),
            tag("td", f"{folder.pictures:,}", class_="number"),
            tag("td", f"{folder.repeats:,}", class_="number"),
            tag("td", "class" if folder.is_class else "subject"),
            tag("td", facts.places.inside(folder.prompt)),
        )
        for folder in seen.folders
    ]
    return tag("div", tag("table", header, tag("tbody", *rows)), class_="scroll", tabindex="0")


def _sizes(seen: Seen) -> Html:
    words = ", ".join(f"{name}: {count:,}" for name, count in seen.buckets.items())
    return tag("p", f"Pictures by the size that they are trained at: {words}.", class_="faint")


def _sheet(seen: Seen, facts: Facts) -> Html:
    total = sum(seen.buckets.values())
    some = f" The first {MOST_SHOWN} of {total:,} are shown." if total > len(seen.pictures) else ""
    about = f"As the trainer saw them, resized and cropped, each in its first step.{some}"
    cells = [tag("li", *_cell(picture, facts)) for picture in seen.pictures]
    return joined(tag("h3", "Contact sheet"), tag("p", about), tag("ul", *cells, class_="sheet"))


def _cell(picture: SeenPicture, facts: Facts) -> list[Html]:
    text = facts.places.inside(picture.text)
    kind = ", class picture" if picture.is_class else ""
    shown = (
        tag("img", src=Html(data_uri(picture.jpeg)), alt=text or picture.name)
        if picture.jpeg
        else tag("div", "not kept", class_="missing")
    )
    facts_line = ", ".join(filter(None, (picture.bucket + kind, picture.varied)))
    caption = tag("p", text) if text else tag("p", "(no text in this step)", class_="faint")
    return [shown, tag("div", facts_line, class_="faint"), tag("div", picture.name, class_="faint"), caption]
