//! Console pages: monitors, windows, import, file.
