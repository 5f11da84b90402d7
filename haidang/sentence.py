"""Small parts of sentences for the commands' output."""


def counted(number: int, noun: str) -> str:
    """A number and its noun, in the plural where needed."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
