// What somebody thinks of an answer.
