"""`python -m trainer_core.generate`."""

from trainer_core.generate.program import main

if __name__ == "__main__":
    main()
