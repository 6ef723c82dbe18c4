//! Line and block boundaries, inside and outside of lists.

use super::{
    super::{BlockKind, ExtractError},
    State, Within,
};

/// Maximum indentation: a line of ten thousand bullets would exhaust memory.
const DEEPEST_INDENT: usize = 12;

impl State<'_> {
    /// Starts a block: within a list on a new line, elsewhere as a new block.
    pub(super) fn begin(&mut self) -> Result<(), ExtractError> {
        if self.marker == Some(self.buffer.len()) {
            return Ok(());
        }
        if self.lists.is_empty() {
            return self.flush();
        }
        self.new_line = true;
        Ok(())
    }

    pub(super) fn push(&mut self, text: &str) {
        self.start_line();
        self.buffer.push_str(text);
    }

    pub(super) fn start_line(&mut self) {
        if std::mem::take(&mut self.new_line) && !self.lists.is_empty() && self.marker != Some(self.buffer.len()) {
            self.buffer.truncate(self.buffer.trim_end().len());
            if !self.buffer.is_empty() {
                self.buffer.push('\n');
            }
            self.buffer.push_str(&self.indent());
        }
    }

    pub(super) fn indent(&self) -> String {
        "  ".repeat(self.lists.len().min(DEEPEST_INDENT))
    }

    /// Adds a marker before the text of the next paragraph.
    pub(super) fn mark(&mut self, text: &str) {
        self.push(text);
        self.marker = Some(self.buffer.len());
    }

    pub(super) fn line_break(&mut self) {
        match self.within {
            Within::Cell | Within::Heading => self.push(" "),
            _ if self.lists.is_empty() => self.push("\n"),
            _ => self.new_line = true,
        }
    }

    /// Keeps the written number where it skips some: "3." after "1." is intended by the author.
    pub(super) fn item(&mut self, at: usize) {
        let written = self.source[at..].split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse::<u64>().ok());
        self.buffer.truncate(self.buffer.trim_end().len());
        if !self.buffer.is_empty() {
            self.buffer.push('\n');
        }
        self.buffer.push_str(&"  ".repeat((self.lists.len().max(1) - 1).min(DEEPEST_INDENT)));
        match self.lists.last_mut() {
            Some(Some(next)) => {
                let number = written.map_or(*next, |written| written.max(*next));
                self.buffer.extend([number.to_string().as_str(), ". "]);
                *next = number.saturating_add(1);
            }
            _ => self.buffer.push_str("- "),
        }
        self.marker = Some(self.buffer.len());
    }

    pub(super) fn code(&mut self, text: &str) {
        if self.lists.is_empty() {
            self.buffer.push_str(text);
            return;
        }
        for line in text.lines() {
            self.new_line = true;
            self.push(line);
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), ExtractError> {
        if !self.lists.is_empty() {
            return self.flush_list();
        }
        let text = std::mem::take(&mut self.buffer);
        self.marker = None;
        if text.trim().contains('\n') {
            let lines: Vec<String> =
                text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            return self.builder.lines(BlockKind::Paragraph, &lines.join("\n"));
        }
        self.builder.paragraph(&text)
    }

    pub(super) fn flush_list(&mut self) -> Result<(), ExtractError> {
        let text = std::mem::take(&mut self.buffer);
        self.marker = None;
        self.builder.lines(BlockKind::List, &text)
    }
}
