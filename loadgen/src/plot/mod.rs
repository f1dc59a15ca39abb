//! Charts as inline SVG, without scripts: axes with units, a legend, hover titles.
//!
//! Lines differ by dash as well as by colour. Colours are classes that the page's style sheet
//! sets, so that one chart serves light and dark.

mod chart;
mod page;
mod scale;
mod units;

pub use chart::{Chart, Line};
pub use page::Page;
pub use scale::Scale;
pub use units::Unit;
