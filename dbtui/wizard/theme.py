"""Our own themes, dark and light; the look of every widget is made of their variables."""

from textual.theme import Theme

DARK = Theme(
    name="dbtui-dark",
    primary="#7fb4ca",
    secondary="#957fb8",
    accent="#e6c384",
    foreground="#dcd7ba",
    background="#16161d",
    surface="#1f1f28",
    panel="#2a2a37",
    success="#98bb6c",
    warning="#ffa066",
    error="#e46876",
    dark=True,
    variables={"footer-key-foreground": "#e6c384", "block-cursor-text-style": "bold"},
)
LIGHT = Theme(
    name="dbtui-light",
    primary="#2f6f8f",
    secondary="#6a4c93",
    accent="#8a5a00",
    foreground="#26262b",
    background="#faf8f3",
    surface="#f1eee6",
    panel="#e4e0d5",
    success="#3f7d20",
    warning="#a85400",
    error="#b3202e",
    dark=False,
    variables={"footer-key-foreground": "#8a5a00", "block-cursor-text-style": "bold"},
)
THEMES = (DARK, LIGHT)
