//! The web shell: layout, assets, translations. Pages live with their capability.
