//! What a run is doing, while it does it: on standard error, so that standard output holds the
//! result alone.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::OutputArgs;
use crate::plot::Unit;

/// Without a terminal a line is written when the phase changes, and this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// A run at one moment.
#[derive(Clone, Debug, Default)]
pub struct Progress<'a> {
    /// What it is doing: `connect`, `warm-up`, `run`, `drain`, ...
    pub phase: &'a str,
    /// Since the phase began.
    pub elapsed: Duration,
    /// How long the phase is to last, if that is known.
    pub planned: Option<Duration>,
    /// Clients connected.
    pub connected: u64,
    /// Clients of the plan.
    pub clients: u64,
    /// Application Messages sent a second, lately.
    pub sent_per_s: f64,
    /// Application Messages delivered a second, lately.
    pub delivered_per_s: f64,
    /// Median and 99th percentile of the end-to-end latency, lately, µs.
    pub latency_us: Option<(u64, u64)>,
    /// Connections refused or lost, and publications refused, so far.
    pub errors: u64,
}

/// The live view of one run. Ends, and leaves the line clean, when dropped.
pub struct Live(View);

enum View {
    Nothing,
    /// One line that is drawn over and over.
    Bar(ProgressBar),
    /// Lines one below the other; when the last was written, in which phase.
    Lines(Option<(Instant, String)>),
}

impl Live {
    /// A view as `output` and standard error allow.
    pub fn new(output: &OutputArgs) -> Self {
        if output.quiet {
            return Self(View::Nothing);
        }
        if !io::stderr().is_terminal() {
            return Self(View::Lines(None));
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {wide_msg}");
        bar.set_style(style.expect("the template is a constant that indicatif accepts"));
        Self(View::Bar(bar))
    }

    /// Shows how far the run is. Call it several times a second.
    pub fn show(&mut self, progress: &Progress<'_>) {
        match &mut self.0 {
            View::Nothing => {}
            View::Bar(bar) => {
                bar.set_message(line(progress));
                bar.tick();
            }
            View::Lines(last) => {
                let now = Instant::now();
                if is_due(last.as_ref(), now, progress.phase) {
                    *last = Some((now, progress.phase.to_owned()));
                    // Nobody reads it: the run goes on.
                    let _ = writeln!(io::stderr(), "{}", line(progress));
                }
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let View::Bar(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn is_due(last: Option<&(Instant, String)>, now: Instant, phase: &str) -> bool {
    last.is_none_or(|(at, of)| of != phase || now.duration_since(*at) >= LINE_EVERY)
}

/// The moment in one line.
fn line(progress: &Progress<'_>) -> String {
    let seconds = |time: Duration| format!("{:.0}", time.as_secs_f64());
    let time = match progress.planned {
        Some(planned) => format!("{} of {} s", seconds(progress.elapsed), seconds(planned)),
        None => format!("{} s", seconds(progress.elapsed)),
    };
    let mut parts = vec![
        format!("{} {time}", progress.phase),
        format!("{} of {} connected", progress.connected, progress.clients),
    ];
    if progress.sent_per_s > 0.0 || progress.delivered_per_s > 0.0 {
        parts.push(format!("sent {}", Unit::PerSecond.show(progress.sent_per_s)));
        parts.push(format!("delivered {}", Unit::PerSecond.show(progress.delivered_per_s)));
    }
    if let Some((p50, p99)) = progress.latency_us {
        let (p50, p99) = (Unit::Micros.show(p50 as f64), Unit::Micros.show(p99 as f64));
        parts.push(format!("p50 {p50}, p99 {p99}"));
    }
    parts.push(format!("{} errors", progress.errors));
    parts.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> Progress<'static> {
        Progress {
            phase: "run",
            elapsed: Duration::from_millis(3_200),
            planned: Some(Duration::from_secs(10)),
            connected: 127,
            clients: 128,
            sent_per_s: 12_345.0,
            delivered_per_s: 12_000.0,
            latency_us: Some((210, 1_500)),
            errors: 1,
        }
    }

    #[test]
    fn a_moment_is_one_line_with_units() {
        assert_eq!(
            line(&moment()).replace('\u{a0}', " "),
            "run 3 of 10 s | 127 of 128 connected | sent 12.3 k/s | delivered 12 k/s | \
             p50 210 µs, p99 1.5 ms | 1 errors"
        );
        let silent = Progress { phase: "connect", clients: 5, ..Progress::default() };
        assert_eq!(line(&silent), "connect 0 s | 0 of 5 connected | 0 errors");
    }

    #[test]
    fn lines_come_with_each_phase_and_then_seldom() {
        let now = Instant::now();
        let last = (now, "run".to_owned());
        assert!(is_due(None, now, "run"));
        assert!(!is_due(Some(&last), now, "run"));
        assert!(is_due(Some(&last), now, "drain"));
        assert!(is_due(Some(&last), now + LINE_EVERY, "run"));
    }
}
