"""Basin against its peers, side by side in one run: each suite a module, each result a JSON file."""
