# Sight of answers
