scope-incidents-read = View incidents
scope-incidents-write = Open and change incidents
scope-incidents-admin = Change channels, rules and on-call rotas
