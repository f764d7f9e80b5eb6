"""The commands of `spaarpunt`, one room for each subject; `pos_client.cli` gathers them."""
