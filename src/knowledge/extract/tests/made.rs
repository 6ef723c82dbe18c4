//! Hand-written PDF files, object by object, for features that no office program produces on demand.

/// Objects from number 1; 1 is the catalog, 2 the page tree, 3 Helvetica.
pub(super) struct Made {
    objects: Vec<String>,
    pub(super) pages: Vec<String>,
    pub(super) catalog: String,
    /// Further fonts of every page: `/F2 5 0 R`.
    pub(super) fonts: String,
}

pub(super) const HELVETICA: &str = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>";

impl Made {
    pub(super) fn new() -> Self {
        Made {
            objects: vec![String::new(), String::new(), HELVETICA.to_owned()],
            pages: Vec::new(),
            catalog: String::new(),
            fonts: String::new(),
        }
    }

    /// Returns the number of the new object.
    pub(super) fn object(&mut self, body: impl Into<String>) -> usize {
        self.objects.push(body.into());
        self.objects.len()
    }

    pub(super) fn stream(&mut self, dict: &str, data: &str) -> usize {
        self.object(format!("<< {dict} /Length {} >>\nstream\n{data}\nendstream", data.len()))
    }

    /// A page of 600 by 800 with Helvetica as F1; `more` is added to its dictionary.
    pub(super) fn page_with(&mut self, content: &str, resources: &str, more: &str) -> usize {
        let content = self.stream("", content);
        self.page_of(&format!("{content} 0 R"), resources, more)
    }

    pub(super) fn page_of(&mut self, contents: &str, resources: &str, more: &str) -> usize {
        let fonts = &self.fonts;
        let page = self.object(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {contents} \
             /Resources << /Font << /F1 3 0 R {fonts} >> {resources} >> {more} >>"
        ));
        self.pages.push(format!("{page} 0 R"));
        page
    }

    pub(super) fn page(&mut self, content: &str) {
        self.page_with(content, "", "");
    }

    pub(super) fn bytes(mut self) -> Vec<u8> {
        self.objects[0] = format!("<< /Type /Catalog /Pages 2 0 R {} >>", self.catalog);
        self.objects[1] = format!("<< /Type /Pages /Count {} /Kids [{}] >>", self.pages.len(), self.pages.join(" "));
        let mut out = String::from("%PDF-1.7\n");
        let mut index = String::new();
        for (at, object) in self.objects.iter().enumerate() {
            index.push_str(&format!("{:010} 00000 n \n", out.len()));
            out.push_str(&format!("{} 0 obj\n{object}\nendobj\n", at + 1));
        }
        let (start, size) = (out.len(), self.objects.len() + 1);
        out.push_str(&format!("xref\n0 {size}\n0000000000 65535 f \n{index}"));
        out.push_str(&format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"));
        out.into_bytes()
    }
}

/// Text at a position, 12 points high.
pub(super) fn at(x: i32, y: i32, words: &str) -> String {
    format!("BT /F1 12 Tf 1 0 0 1 {x} {y} Tm ({words}) Tj ET\n")
}

/// Lines below each other.
pub(super) fn body(lines: &[&str]) -> String {
    lines.iter().zip(0..).map(|(line, row)| at(60, 600 - 16 * row, line)).collect()
}
