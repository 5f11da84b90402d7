"""Small parts of sentences for the commands' output."""


def counted(number: int, noun: str) -> str:
    """A number and its noun, in the plural where needed."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number} {noun}{ending}"
