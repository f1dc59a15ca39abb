//! A whole page: one HTML file that loads nothing and runs nothing.

use std::fmt::Write;

const STYLE: &str = include_str!("page.css");

/// A page under construction.
#[derive(Debug)]
pub struct Page {
    title: String,
    body: String,
    charts: usize,
}

impl Page {
    /// A page with a title.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), body: String::new(), charts: 0 }
    }

    /// A heading of the second level.
    pub fn heading(&mut self, text: &str) {
        let _ = writeln!(self.body, "<h2>{}</h2>", escape(text));
    }

    /// A heading of the third level.
    pub fn subheading(&mut self, text: &str) {
        let _ = writeln!(self.body, "<h3>{}</h3>", escape(text));
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p>{}</p>", escape(text));
    }

    /// A verdict: good, doubtful or bad, in colour and in words.
    pub fn verdict(&mut self, class: &str, text: &str) {
        let _ = writeln!(self.body, "<p class=\"verdict {class}\">{}</p>", escape(text));
    }

    /// Text as it is, such as a file.
    pub fn verbatim(&mut self, text: &str) {
        let _ = writeln!(self.body, "<pre tabindex=\"0\">{}</pre>", escape(text));
    }

    /// Charts beside each other where there is room.
    pub fn charts(&mut self, charts: &[super::Chart]) {
        self.body.push_str("<div class=\"charts\">\n");
        for chart in charts {
            self.charts += 1;
            self.body.push_str(&chart.html(&format!("chart{}", self.charts)));
        }
        self.body.push_str("</div>\n");
    }

    /// Names and values, two columns.
    pub fn pairs(&mut self, caption: &str, rows: &[(String, String)]) {
        let _ = write!(self.body, "<table class=\"pairs\"><caption>{}</caption>", escape(caption));
        for (name, value) in rows {
            let (name, value) = (escape(name), escape(value));
            let _ = write!(self.body, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
        }
        self.body.push_str("</table>\n");
    }

    /// Tables of names and values, beside each other where there is room.
    pub fn pair_tables(&mut self, tables: &[(&str, Vec<(String, String)>)]) {
        self.body.push_str("<div class=\"tables\">\n");
        for (caption, rows) in tables {
            self.body.push_str("<div>");
            self.pairs(caption, rows);
            self.body.push_str("</div>");
        }
        self.body.push_str("</div>\n");
    }

    /// A table with headings; the first column names its row. On a narrow screen it scrolls by
    /// itself.
    pub fn table(&mut self, caption: &str, headings: &[&str], rows: &[Vec<String>]) {
        let _ = write!(
            self.body,
            "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table>\
             <caption>{0}</caption><thead><tr>",
            escape(caption)
        );
        for heading in headings {
            let _ = write!(self.body, "<th scope=\"col\">{}</th>", escape(heading));
        }
        self.body.push_str("</tr></thead><tbody>");
        for row in rows {
            self.body.push_str("<tr>");
            for (column, cell) in row.iter().enumerate() {
                let _ = match column {
                    0 => write!(self.body, "<th scope=\"row\">{}</th>", escape(cell)),
                    _ => write!(self.body, "<td>{}</td>", escape(cell)),
                };
            }
            self.body.push_str("</tr>");
        }
        self.body.push_str("</tbody></table></div>\n");
    }

    /// The file's text.
    pub fn html(&self) -> String {
        let title = escape(&self.title);
        // The icon stands in the page, so that no browser asks for one.
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; img-src data:\">\n<title>{title}</title>\n\
             <link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <main>\n<h1>{title}</h1>\n{}</main>\n</body>\n</html>\n",
            self.body
        )
    }
}

/// Text for HTML, in content and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}
