"""`python -m switchlog`: the same as the command `switchlog`."""

from switchlog.start import main

if __name__ == "__main__":
    main()
