//! What other programs say, line by line.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::support::broker::PATIENCE;

/// The lines of `stream` as they come. Read to the end, so that the writer never blocks.
pub fn follow(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Nobody may be listening any more.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// Waits for the line that `pick` accepts.
pub fn wait_for<T>(lines: &Receiver<String>, mut pick: impl FnMut(&str) -> Option<T>) -> T {
    let mut seen = Vec::new();
    loop {
        let line = lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|error| panic!("{error}, after:\n{}", seen.join("\n")));
        if let Some(found) = pick(&line) {
            return found;
        }
        seen.push(line);
    }
}
