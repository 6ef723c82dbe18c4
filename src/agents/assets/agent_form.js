// The form of an agent: the test beside it.
