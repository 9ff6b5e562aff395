"""Start the command so that it can be interrupted from its first moment."""

from whatsapp_session import early_stop


def main() -> int:
    """Run the command; returns its exit code."""
    early_stop.listen()
    from whatsapp_cli import main as command

    return command.main()
