//! Values of a JSON text by a path: `$.a.b[0].c`, `a.b[0]`, `length($.a)`. Pure.
