"""What the step of the pictures says of itself."""

HELP = """\
# The pictures

Between 10 and 30 good ones teach a person, a thing or a character; a style takes more. Show it from all sides,
with different backgrounds and light: whatever all the pictures share is learned as well.

**A plain folder** is enough: everything in it belongs to the subject of the step before. A picture may have a
caption, a text file of the same name (`frog.jpg`, `frog.txt`).

**Folders named like `20_sls frog`** say it themselves: 20 repeats, the identifier `sls`, the class `frog`. Choose
the folder that they lie in. `l` makes such a folder from a plain one, of links or copies: your own files stay as
they are.

**Repeats** say how often each picture counts in one pass. They matter beside class pictures (the next step) and
where several subjects shall weigh the same.

The pictures are shown as the trainer crops them, with the size that they are trained at. Nothing is written to
your folder, except captions, and these only when you press `w`.

| key | |
|---|---|
| arrows | walk through the pictures |
| c | edit the caption; enter keeps it, escape forgets it |
| w | write the edited captions to their files |
| s | leave out pictures that cannot be read |
| d | decode every picture, which finds damage inside, copies and blurred ones |
| l | lay a plain folder out |
| p | list everything that was found |
| page up, page down | the subject before, the next one |
"""
START = """\
A folder of pictures, or one that holds folders named like "20_sls frog".

10 to 30 good pictures teach a person or a thing; a style takes more.
Show it from several sides, in different places and light: whatever all of them share is learned as well.

Nothing in the folder is changed."""
