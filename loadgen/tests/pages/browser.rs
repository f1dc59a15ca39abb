//! Chromium without a window. A page is shown in a frame of the width to test, inside a page that
//! measures it and writes what it found into its own text.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const BROWSER: &str = "/usr/bin/chromium";

/// Flags that keep the browser to itself.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-file-access-from-files",
    "--enable-logging=stderr",
    "--hide-scrollbars",
];

const MEASURE: &str = r#"
const frame = document.querySelector("iframe");
frame.onload = () => {
  const page = frame.contentDocument, root = page.documentElement;
  const small = [...page.querySelectorAll("figure svg[role=img] text")].map(text => {
    const svg = text.ownerSVGElement;
    return 13.5 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  });
  const outside = [...page.querySelectorAll("figure svg[role=img] text")].filter(text => {
    const inner = text.getBoundingClientRect();
    const outer = text.ownerSVGElement.getBoundingClientRect();
    return inner.left < outer.left - 1 || inner.right > outer.right + 1 ||
      inner.bottom > outer.bottom + 1;
  }).map(text => text.textContent);
  const found = {
    width: root.clientWidth, needed: root.scrollWidth, text: page.body.innerText,
    smallest: Math.min(...small), outside,
    titles: [...page.querySelectorAll("title")].length,
    background: getComputedStyle(page.body).backgroundColor,
    ink: getComputedStyle(page.body).color,
  };
  document.body.textContent = "FOUND" + JSON.stringify(found) + "END";
};
frame.src = frame.dataset.page;
"#;

/// What a page looks like at a width.
pub struct Seen {
    pub found: Value,
    pub errors: Vec<String>,
}

/// Whether there is a browser.
pub fn installed() -> bool {
    Path::new(BROWSER).exists()
}

/// Shows `page` at `width` pixels. With `POND_SCREENSHOTS=DIR` also takes a picture, for people.
pub fn show(page: &Path, width: u32, dark: bool) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let frame = |script: &str, source: &str| {
        format!(
            "<!DOCTYPE html><meta charset=utf-8><link rel=icon href=data:,><body style='margin:0'>\
             <iframe data-page='file://{0}' {source}='file://{0}' style='border:0;width:{width}px;\
             height:6000px'></iframe><script>{script}</script>",
            page.display()
        )
    };
    let outer = folder.path().join("outer.html");
    fs::write(&outer, frame(MEASURE, "data-src")).unwrap();
    let theme = format!("--blink-settings=preferredColorScheme={}", if dark { 0 } else { 1 });
    let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
    let browse = |arguments: &[String]| {
        let mut command = Command::new(BROWSER);
        command.args(FLAGS).args([&theme, &profile]).args(arguments);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    };
    let url = |path: &Path| format!("file://{}", path.display());
    let wait = "--virtual-time-budget=5000".to_owned();
    let (dom, log) = browse(&["--dump-dom".to_owned(), wait.clone(), url(&outer)]);
    let json = dom.split("FOUND").nth(1).and_then(|rest| rest.split("END").next());
    let json = json.unwrap_or_else(|| panic!("the page was not measured: {dom}\n{log}"));
    let json = json.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}");
    let found = serde_json::from_str(&json.replace("&amp;", "&")).unwrap();
    let errors = log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
    if let Some(pictures) = std::env::var_os("POND_SCREENSHOTS") {
        fs::write(&outer, frame("", "src")).unwrap();
        let theme = if dark { "dark" } else { "light" };
        let name = page.file_stem().unwrap().to_string_lossy().into_owned();
        let picture = Path::new(&pictures).join(format!("{name}-{width}-{theme}.png"));
        let size = format!("--window-size={width},4200");
        browse(&[format!("--screenshot={}", picture.display()), size, wait, url(&outer)]);
    }
    Seen { found, errors }
}

impl Seen {
    /// Everything a page must hold: it fits, its text can be read, nothing failed.
    pub fn check(&self, name: &str) {
        assert!(self.errors.is_empty(), "{name}: {:?}", self.errors);
        let number = |field: &str| self.found[field].as_f64().unwrap();
        assert!(number("needed") <= number("width"), "{name}: needs {} px", number("needed"));
        assert!(number("smallest") >= 9.0, "{name}: text of {} px", number("smallest"));
        let outside = self.found["outside"].as_array().unwrap();
        assert!(outside.is_empty(), "{name}: cut off: {outside:?}");
    }

    /// The text that a reader sees.
    pub fn text(&self) -> &str {
        self.found["text"].as_str().unwrap()
    }
}
