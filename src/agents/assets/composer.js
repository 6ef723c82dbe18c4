// Where a question is written: its size, keys, and what was typed before the page was left.
