"""What F1 says on the step of class pictures."""

HELP = """
# Class pictures

Your pictures show one frog. A model that sees only them forgets that other frogs exist. **Class pictures**
(regularization) show any frog, and are trained beside yours with the word *frog* alone, so that the word keeps
its meaning.

- **A folder of mine**: photos of the class that you have. Under a folder with names such as `20_sls frog` it holds
  folders such as `1_frog`.
- **Drawn by the model**: what the start model calls a frog is just what shall be kept. They are drawn before the
  start, and found again by later runs with the same model, size and prompt.
- **None**: right for a style, or if you want the class to become yours ("native training").

## Balance

Both sides count equally in a pass. Where there are more class pictures than training pictures x repeats, the
rest is never used; where there are fewer, they are repeated. **b** sets the fewest repeats of your pictures with
which every class picture is used. Repeats change how long a pass is, not how many steps are trained.

What you typed for an answer that you do not take now is kept for when you take it again.
"""
