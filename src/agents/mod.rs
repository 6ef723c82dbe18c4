//! Agents: instructions, a model and knowledge bases; conversations with citations.
