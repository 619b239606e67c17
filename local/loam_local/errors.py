"""The one failure that a verb reports to its caller."""


class LocalError(Exception):
    """A verb cannot do its work.

    `code` is a stable kebab-case word, the message says what is wrong, what was expected and what to do, and
    `status` is the process's exit code (2 means "the call or the machine's set-up is wrong", 1 "it failed").
    """

    def __init__(self, code: str, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
