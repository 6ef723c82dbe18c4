// The API reference: sends an operation with the session of this page, and shows the answer.
