"""What a store manager reads: queries over the till's database that the pages and the command line share."""
