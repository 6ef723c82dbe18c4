//! Splits a long table between its rows, and repeats the header in every chunk but the first.
//!
//! A row that is too long on its own is split between its cells; each part has the headings of its own columns and the
//! row label. Only a cell that is too long on its own is split inside.

use text_splitter::{ChunkConfig, TextSplitter};

use super::{super::Block, Chunker, Piece, Sizer};

/// A line or a cell with its position.
#[derive(Clone, Copy)]
struct Place<'t> {
    text: &'t str,
    byte: usize,
    char: usize,
}

impl<'t> Place<'t> {
    fn chars(&self) -> usize {
        self.text.chars().count()
    }

    /// The non-empty lines.
    fn lines(self) -> Vec<Place<'t>> {
        let (mut byte, mut char) = (self.byte, self.char);
        let lines = self.text.split('\n').map(|line| {
            let place = Place { text: line, byte, char };
            byte += line.len() + 1;
            char += place.chars() + 1;
            place
        });
        lines.filter(|line| !line.text.is_empty()).collect()
    }

    /// The cells of a line, including empty ones, trimmed.
    fn cells(self) -> Vec<Place<'t>> {
        let mut cells = Vec::new();
        let (mut start, mut escaped) = (0, false);
        let mut char = self.char;
        let mut push = |from: usize, to: usize| {
            let whole = &self.text[from..to];
            let text = whole.trim();
            let lead = whole.len() - whole.trim_start().len();
            // White space around cells is ASCII, so `lead` is also in characters.
            cells.push(Place { text, byte: self.byte + from + lead, char: char + lead });
            char += whole.chars().count() + 1;
        };
        for (at, c) in self.text.char_indices() {
            if c == '|' && !escaped {
                push(start, at);
                start = at + 1;
            }
            escaped = c == '\\' && !escaped;
        }
        push(start, self.text.len());
        cells
    }
}

/// The lines above the rows.
struct Header<'t> {
    text: &'t str,
    tokens: usize,
    lines: Vec<Vec<Place<'t>>>,
}

impl<'a> Chunker<'a> {
    /// `text` is the whole block, which starts at `byte`.
    pub(super) fn table(&mut self, block: &'a Block, byte: usize, text: &'a str) {
        let lines = Place { text, byte, char: block.start }.lines();
        let above = block.header_end.unwrap_or(block.start);
        let head = lines.iter().take_while(|line| line.char < above).count();
        let head_bytes = lines.get(head).map_or(text.len(), |line| line.byte - byte);
        let header_text = text[..head_bytes].trim_end();
        let header = Header {
            text: header_text,
            tokens: if head == 0 { 0 } else { (self.count)(header_text) },
            lines: lines[..head].iter().map(|line| line.cells()).collect(),
        };
        // A header that leaves less than half of a chunk to the rows is not repeated whole.
        let wide = header.tokens * 2 > self.max_tokens;
        let mut from = 0;
        if wide {
            self.split(block, byte, block.start, header_text);
            from = head;
        }
        let counts: Vec<usize> = lines.iter().map(|line| (self.count)(line.text)).collect();
        while from < lines.len() {
            if !(self.keep_going)() {
                return;
            }
            let header_above = from >= head && head > 0;
            if header_above && wide {
                self.cut_row(block, &header, lines[from]);
                from += 1;
                continue;
            }
            // At the top the header is part of the text, together with at least one row.
            let least = if from < head { head + 1 - from } else { 1 }.min(lines.len() - from);
            let before = if header_above { header.tokens } else { 0 };
            let mut sum = before;
            let mut taken = counts[from..]
                .iter()
                .take_while(|count| {
                    sum += *count;
                    sum <= self.max_tokens
                })
                .count()
                .max(least);
            let used = header_above.then_some(header.text);
            let tokens = loop {
                let tokens = self.count_with(used, slice(text, byte, &lines[from..from + taken]));
                if tokens <= self.max_tokens || taken == least {
                    break tokens;
                }
                taken -= 1;
            };
            if tokens <= self.max_tokens {
                self.add_lines(block, &lines[from..from + taken], tokens, used);
                from += taken;
            } else if from < head {
                // Not even one row fits below the header, so the header becomes a chunk of its own.
                self.add_lines(block, &lines[from..head], header.tokens, None);
                from = head;
            } else {
                self.cut_row(block, &header, lines[from]);
                from += 1;
            }
        }
    }

    fn add_lines(&mut self, block: &'a Block, lines: &[Place<'_>], tokens: usize, header: Option<&str>) {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return };
        self.add(Piece {
            bytes: first.byte..last.byte + last.text.len(),
            chars: first.char..last.char + last.chars(),
            tokens,
            block,
            header: header.map(str::to_owned),
        });
    }

    /// Splits a row that does not fit below the header: several cells at a time, with the headings of their columns.
    fn cut_row(&mut self, block: &'a Block, header: &Header<'_>, row: Place<'a>) {
        let cells = row.cells();
        let mut from = 0;
        while from < cells.len() {
            if cells[from].text.is_empty() {
                from += 1;
                continue;
            }
            let headings = |taken: usize| self.headings(header, &cells, from, from + taken);
            let mut sum = headings(1).as_deref().map_or(0, |text| (self.count)(text));
            let mut taken = 1;
            while let Some(cell) = cells.get(from + taken) {
                let of = |place: &Place<'_>| (self.count)(place.text) + 1;
                let above: usize = header.lines.iter().filter_map(|line| line.get(from + taken)).map(of).sum();
                sum += of(cell) + above;
                if sum + (self.count)(cells[from].text) > self.max_tokens {
                    break;
                }
                taken += 1;
            }
            let (used, tokens) = loop {
                let used = headings(taken);
                let tokens = self.count_with(used.as_deref(), slice(row.text, row.byte, &cells[from..from + taken]));
                if tokens <= self.max_tokens || taken == 1 {
                    break (used, tokens);
                }
                taken -= 1;
            };
            if tokens <= self.max_tokens {
                self.add_lines(block, &cells[from..from + taken], tokens, used.as_deref());
            } else {
                self.cut_cell(block, cells[from], used.as_deref());
            }
            from += taken;
        }
    }

    /// The caption and the headings of these columns; after the first column with the row label.
    fn headings(&self, header: &Header<'_>, cells: &[Place<'_>], from: usize, to: usize) -> Option<String> {
        let mut lines = Vec::new();
        let mut name = String::new();
        for line in &header.lines {
            if line.len() == 1 && cells.len() > 1 {
                lines.push(self.shortened(line[0].text, self.max_tokens / 4));
                continue;
            }
            let of_columns: Vec<&str> =
                (from..to).map(|column| line.get(column).map_or("", |place| place.text)).collect();
            if of_columns.iter().any(|text| !text.is_empty()) {
                lines.push(self.shortened(&of_columns.join(" | "), self.max_tokens / 3));
            }
            if let Some(first) = line.first().filter(|place| !place.text.is_empty()) {
                name = format!("{}: ", first.text);
            }
        }
        if from > 0 && !cells[0].text.is_empty() {
            let name = self.shortened(&format!("{name}{}", cells[0].text), self.max_tokens / 4);
            lines.insert(0, name);
        }
        lines.retain(|line| !line.is_empty());
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn cut_cell(&mut self, block: &'a Block, cell: Place<'a>, header: Option<&str>) {
        let above = header.map_or(0, |header| (self.count)(header) + 1);
        // If the headings leave too little room, the cell goes without them.
        let header = header.filter(|_| above * 2 <= self.max_tokens);
        let room = self.max_tokens - if header.is_some() { above } else { 0 };
        let splitter = TextSplitter::new(ChunkConfig::new(room.max(1)).with_sizer(Sizer(self.count)));
        let (mut byte, mut char) = (cell.byte, cell.char);
        for portion in super::portions(cell.text) {
            if !(self.keep_going)() {
                return;
            }
            let base = byte;
            let parts: Vec<(usize, &str)> = splitter.chunk_indices(portion).collect();
            for (at, part) in parts {
                char += portion[byte - base..at].chars().count();
                let place = Place { text: part, byte: base + at, char };
                let tokens = self.count_with(header, part);
                let fits = tokens <= self.max_tokens;
                let tokens = if fits { tokens } else { (self.count)(part) };
                self.add_lines(block, &[place], tokens, header.filter(|_| fits));
                byte = base + at + part.len();
                char += part.chars().count();
            }
            char += portion[byte - base..].chars().count();
            byte = base + portion.len();
        }
    }

    /// The longest prefix of `text` in whole words with at most `most` tokens.
    fn shortened(&self, text: &str, most: usize) -> String {
        let mut end = text.len();
        while end > 0 && (self.count)(&text[..end]) > most {
            let half = text.floor_char_boundary(end * 3 / 4);
            end = text[..half].rfind(' ').unwrap_or(0);
        }
        text[..end].trim_end_matches([' ', '|']).to_owned()
    }
}

/// From the start of the first place to the end of the last; `text` starts at `byte`.
fn slice<'t>(text: &'t str, byte: usize, places: &[Place<'_>]) -> &'t str {
    match (places.first(), places.last()) {
        (Some(first), Some(last)) => &text[first.byte - byte..last.byte + last.text.len() - byte],
        _ => "",
    }
}
