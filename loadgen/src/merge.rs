//! `loadgen merge`: adds up the results of generators that loaded one broker together.

use crate::args::MergeArgs;
use crate::failure::Failure;
use crate::output::emit_run;
use crate::result::{Merge, Verdict, read_all};

/// Reads the results, adds them up without loss, and shows the sum.
///
/// # Errors
/// If a file cannot be read, or the parts are not of the same load.
pub fn run(args: &MergeArgs) -> Result<Verdict, Failure> {
    let mut parts = read_all(&args.results)?.into_iter().zip(&args.results);
    let (mut sum, first) = parts.next().ok_or("no result to add up".to_owned())?;
    for (part, path) in parts {
        if part.scenario.name != sum.scenario.name || part.scenario.text != sum.scenario.text {
            return Err(Failure::of(
                &path.display().to_string(),
                format!(
                    "scenario '{}' is not that of {}, '{}': only parts of one run add up",
                    part.scenario.name,
                    first.display(),
                    sum.scenario.name
                ),
            ));
        }
        sum.merge(part);
    }
    emit_run(&mut sum, &args.output)?;
    Ok(sum.verdict)
}
