"""The longer texts of the step "Identifier and class"."""

from dbtui.wizard.draft import Goal

HELP = """\
# What shall it be called?

The model learns your pictures under a **name**, which you write later to get them back. It has two parts.

**The identifier** is a word that means nothing to the model yet, so that nothing else gets mixed in. The text
encoder (CLIP) cuts text into tokens; best is a word of at most three letters that is *one rare token*, such as
`sls`. `sks`, which many tutorials use, is a rifle; a person's name is often several tokens that mean other things.

**The class** is the kind of thing, in a word that the model knows: `frog`, `man`, `1girl`. Your subject then
begins with all that the model knows of its kind. Left empty, the identifier stands alone; without an
identifier, the class itself is learned anew.

For a **style** the prompt ends in `by sls`, and the class is what the pictures show (`1girl`, `landscape`).

**A prompt of your own** replaces the one made of both words. `[filewords]` in it stands for each picture's own
caption, or else for the name of its file: `photo of sls frog, [filewords]`.

**Several subjects** can be learned in one training: ctrl+n adds one, whose pictures are asked for in the next
step. Give each its own identifier; they may share a class.
"""

CAPTIONS_ALONE = """\
Nothing to name: the captions say it all.

Each picture is trained with the text in the file beside it, word for word (for photo.png that is photo.txt). \
No identifier and no class are needed.

The model will learn       what your captions say
and you will write         any words of theirs

A rare word that stands in every caption ties your pictures to it: write it into them, if you want that. \
A picture without a caption is an error, told in the next step.
"""

BESIDE = """\
A good identifier
  one token, rare, three letters;
  no name, nothing it could mean

A good class
  a plain word for the kind:
  person, man, dog, car, 1girl

Afterwards
  both words bring yours back,
  the class alone brings any other
"""

_CLASS = "What kind of thing is it?"
_PROMPT = "Or a prompt of your own"
QUESTIONS: dict[Goal, dict[str, str]] = {
    "thing": {"identifier": "What shall it be called?", "class": _CLASS, "instance_prompt": _PROMPT},
    "character": {"identifier": "What shall it be called?", "class": _CLASS, "instance_prompt": _PROMPT},
    "style": {
        "identifier": "Name of the style",
        "class": "What do they show?",
        "instance_prompt": _PROMPT,
    },
    "dataset": {"identifier": "What shall it be called?", "class": _CLASS, "instance_prompt": _PROMPT},
}
"""What is asked, by the name of the answer."""
