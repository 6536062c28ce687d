"""How large a request to a served model may be."""

# What a served model takes: items of a request; pairs of an item and a past item, of a request; and of a call of many
# requests, pairs, and places in a table as wide as its longest list. More could take all of a server's memory.
MOST_ITEMS, MOST_PAIRS, MOST_OF_A_CALL = 10_000, 1_000_000, 20_000_000
