//! The file of monitors, for the API, the console and the command line.
