//! `agent_answer_pieces`: what was written so far of answers that are being written.
