def fill(corpus): pass
