"""HTML that is escaped by construction: whatever is not `Html` is text from outside."""

import html

from trainer_core.text import safe_text

LONGEST_TEXT = 4000
_VOID = {"img", "meta", "line", "polyline"}
"""Elements without content; the slash at their end is needed in SVG and does no harm elsewhere."""


class Html(str):
    """Markup that was made here; every other text is escaped when it is put into a page."""

    __slots__ = ()


def escaped(value: object) -> Html:
    """Return `value` as it may stand in a page: no markup, no control or bidi characters. Html stays as it is."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(safe_text(value, LONGEST_TEXT), quote=True))


def tag(element: str, /, *children: object, **attributes: object) -> Html:
    """Return an element. `class_` is the attribute `class`, `aria_label` is `aria-label`; None leaves one out.

    A value of True stands for an attribute without a value.
    """
    words = "".join(_attribute(key, value) for key, value in attributes.items() if value not in (None, False))
    inner = "".join(escaped(child) for child in children)
    return Html(f"<{element}{words}/>" if element in _VOID else f"<{element}{words}>{inner}</{element}>")


def joined(*parts: object) -> Html:
    """Return the parts one after the other, each escaped unless it is Html."""
    return Html("".join(escaped(part) for part in parts))


def lines(text: str) -> Html:
    """Return the lines of a longer text escaped one by one, so that its line ends are kept."""
    return Html("\n".join(escaped(line) for line in text.split("\n")))


def table(rows: list[tuple[object, object]]) -> Html:
    """Return a table of names and values; without rows, nothing."""
    if not rows:
        return Html("")
    body = (tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in rows)
    return tag("table", tag("tbody", *body), class_="facts")


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-") if key not in {"viewBox", "preserveAspectRatio"} else key
    return f" {name}" if value is True else f' {name}="{escaped(value)}"'
