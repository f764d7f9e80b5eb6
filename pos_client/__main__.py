"""`python -m pos_client` is `spaarpunt`."""

from pos_client.cli import main

main(prog_name="spaarpunt")
