// An answer on its way: the events of its stream become parts of the page.
