//! A configuration file of any text: it is taken, or every mistake is named with its place.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use pondhawk::config::Source;

thread_local! {
    /// One file for the thread, written again for each input.
    static FILE: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

fn write(data: &[u8]) -> PathBuf {
    FILE.with_borrow_mut(|file| {
        let path = file.get_or_insert_with(|| {
            let name = format!("pondhawk-fuzz-{}.toml", std::process::id());
            std::env::temp_dir().join(name)
        });
        fs::write(&*path, data).expect("write the configuration");
        path.clone()
    })
}

/// Loads it.
pub fn run(data: &[u8]) {
    let path = write(data);
    let source = Source { file: Some(path.clone()), ..Source::default() };
    match source.load() {
        Ok(loaded) => drop(loaded.config.compile(4)),
        Err(mistakes) => {
            assert!(!mistakes.0.is_empty(), "refused without a mistake");
            let lines = data.split(|byte| *byte == b'\n').count();
            for mistake in &mistakes.0 {
                assert!(mistake.line <= lines, "line {} of {lines}: {mistake}", mistake.line);
                assert!(!mistake.mend.is_empty(), "no mend: {mistake}");
                assert!(!mistake.what.is_empty(), "no mistake: {mistake}");
            }
        }
    }
    // Nothing is left to clean up but the last one.
    let _ = fs::remove_file(path);
}
