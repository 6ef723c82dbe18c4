// Messages that stand for each other: editing a question, and going from one to the next.
