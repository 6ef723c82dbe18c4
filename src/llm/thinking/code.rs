//! Whether a streamed Markdown text is inside code, as far as can be known before its end.

/// Tracks a text character by character.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// The current line so far.
    line: String,
    /// The open fence: its character and length.
    fence: Option<(char, usize)>,
    /// Number of backticks that opened inline code in this paragraph.
    inline: Option<usize>,
    /// Number of backticks just read.
    run: usize,
    /// The previous line was blank: an indented line is code.
    after_blank: bool,
}

impl Code {
    pub(super) fn see(&mut self, c: char) {
        if c == '`' {
            self.run += 1;
        } else {
            self.end_run();
        }
        if c == '\n' {
            self.end_line();
        } else {
            self.line.push(c);
        }
    }

    /// Whether the next character is inside code.
    pub(super) fn is_code(&self) -> bool {
        let inline = match self.run {
            0 => self.inline.is_some(),
            run => self.inline.is_none_or(|open| open != run),
        };
        let indented = self.after_blank && (self.line.starts_with("    ") || self.line.starts_with('\t'));
        self.fence.is_some() || inline || indented
    }

    /// Whether only white space precedes the next character on its line.
    pub(super) fn at_line_start(&self) -> bool {
        self.line.trim().is_empty()
    }

    /// The last non-space character of the line so far; a letter if there is none.
    pub(super) fn last_word_end(&self) -> char {
        let ended = self.line.ends_with(' ');
        self.line.trim_end().chars().next_back().filter(|_| ended).unwrap_or('a')
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run == 0 || self.fence.is_some() || self.fence_of_line().is_some() {
            return;
        }
        self.inline = match self.inline {
            None => Some(run),
            Some(open) if open == run => None,
            open => open,
        };
    }

    /// The fence at the start of the line so far, also in a list or a quotation.
    fn fence_of_line(&self) -> Option<(char, usize, &str)> {
        let line = self.line.trim_start_matches(|c: char| c.is_whitespace() || c == '>');
        let c = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let rest = line.trim_start_matches(c);
        let length = line.len() - rest.len();
        (length >= 3).then_some((c, length, rest))
    }

    fn end_line(&mut self) {
        let found =
            self.fence_of_line().map(|(c, length, rest)| (c, length, rest.trim().is_empty(), rest.contains('`')));
        match (self.fence, found) {
            (Some((open, least)), Some((c, length, true, _))) if c == open && length >= least => self.fence = None,
            (None, Some((c, length, _, ticks))) if !(c == '`' && ticks) => self.fence = Some((c, length)),
            _ => {}
        }
        let blank = self.line.trim().is_empty();
        if blank || self.fence.is_some() {
            self.inline = None;
        }
        self.after_blank = blank;
        self.line.clear();
    }
}
