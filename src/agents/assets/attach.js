// Pictures and documents for a question: chosen, dropped or pasted.
