"""What goes wrong for a user, as exceptions whose text is the one line that the user reads."""


class RaymamlError(Exception):
    """Base of every error a user can cause; the CLI prints its text and exits with code 2.

    The text is one line and says what was expected and what to do.
    """


def last_line(error: Exception) -> str:
    """The last line of another library's error, which is where Ray puts what went wrong."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__


class SpecError(RaymamlError, ValueError):
    """A specification, an option or a file of ours has a value that cannot be used."""


class MissingError(RaymamlError, LookupError):
    """A run, data set, checkpoint or store that was named is not there."""


class DataError(RaymamlError, ValueError):
    """A data set on disk is incomplete, damaged or laid out in another way than its loader expects."""


class MismatchError(RaymamlError):
    """Something on disk was made for another specification than the one asked for."""


class BusyError(RaymamlError):
    """Another process computes into the store or the run that was named."""


class ClusterError(RaymamlError, ConnectionError):
    """The Ray cluster does not answer or cannot hold the work."""


class IncompleteError(RaymamlError):
    """Some blocks or seeds failed every attempt; everything else is stored."""
