//! Calls of the API as people paste them: curl, Python and JavaScript, made of an operation of the document.
