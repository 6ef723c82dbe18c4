//! Whether a streaming Markdown text is inside code, as far as one can know before its end.

/// Follows a text character by character.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// The current line up to here.
    line: String,
    /// The fence that is open: its character and length.
    fence: Option<(char, usize)>,
    /// The backticks that opened inline code in this paragraph.
    inline: Option<usize>,
    /// Backticks just seen.
    run: usize,
    /// The line before was blank: an indented line is code.
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

    /// Whether the next character stands in code.
    pub(super) fn is_code(&self) -> bool {
        let inline = match self.run {
            0 => self.inline.is_some(),
            run => self.inline.is_none_or(|open| open != run),
        };
        let indented = self.after_blank && (self.line.starts_with("    ") || self.line.starts_with('\t'));
        self.fence.is_some() || inline || indented
    }

    /// Whether nothing but white space stands before the next character on its line.
    pub(super) fn at_line_start(&self) -> bool {
        self.line.trim().is_empty()
    }

    /// The last character of the line so far, spaces after it left out; a letter where none came after it.
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

    /// The fence that the line so far begins with, in a list or a quotation too.
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
