"""A producer of another release: the same program, whose messages carry another schema number."""

import tasks.messages

tasks.messages.SCHEMA += 1

from producer.__main__ import main  # noqa: E402, after what it imports has been changed

if __name__ == "__main__":
    main()
