"""The exit statuses of the command line."""

# The last two are 128 and the number of the signal.
REFUSED, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143
