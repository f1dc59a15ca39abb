//! One chart.

use std::fmt::Write;

use super::page::escape;
use super::scale::Scale;
use super::units::Unit;

/// Size of the drawing in its own units. On a phone one unit is about 0.75 pixels.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 300.0;
/// Room for the numbers of the y axis, and below for those of the x axis and its title.
const LEFT: f64 = 82.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 50.0;

/// Half of the widest text below a tick.
const TICK_ROOM: f64 = 30.0;

/// Colours and dashes that the style sheet tells apart.
const STYLES: usize = 6;

/// Lines over a pair of axes.
#[derive(Debug)]
pub struct Chart {
    /// What the chart shows.
    pub title: String,
    /// Title of the x axis, its scale and unit.
    pub x: (String, Scale, Unit),
    /// The same of the y axis.
    pub y: (String, Scale, Unit),
    /// The lines.
    pub lines: Vec<Line>,
}

/// A named line.
#[derive(Debug)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// Points, in the order they are joined.
    pub points: Vec<(f64, f64)>,
    /// Points that tell about themselves under the pointer, with the text.
    pub told: Vec<(f64, f64, String)>,
}

impl Chart {
    /// The chart as a figure of HTML. `id` is unique in the page.
    pub fn html(&self, id: &str) -> String {
        let mut html = format!(
            "<figure><figcaption id=\"{id}\">{}</figcaption>{}",
            escape(&self.title),
            self.legend()
        );
        // Writing to a String does not fail.
        let _ = write!(
            html,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}\">\
             <desc>{}</desc>{}{}",
            escape(&self.description()),
            self.axes(),
            self.titles()
        );
        for (index, line) in self.lines.iter().enumerate() {
            html.push_str(&self.line(line, index % STYLES));
        }
        html + "</svg></figure>\n"
    }

    fn description(&self) -> String {
        let names: Vec<_> = self.lines.iter().map(|line| line.name.as_str()).collect();
        format!("{} over {}: {}", self.y.0, self.x.0, names.join(", "))
    }

    fn legend(&self) -> String {
        let entries = self.lines.iter().enumerate().map(|(index, line)| {
            format!(
                "<li><svg viewBox=\"0 0 28 10\" aria-hidden=\"true\"><line x1=\"0\" y1=\"5\" \
                 x2=\"28\" y2=\"5\" class=\"l{}\"/></svg>{}</li>",
                index % STYLES,
                escape(&line.name)
            )
        });
        format!("<ul class=\"legend\">{}</ul>", entries.collect::<String>())
    }

    fn x_at(&self, value: f64) -> f64 {
        LEFT + self.x.1.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y_at(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.1.place(value) * (HEIGHT - TOP - BOTTOM)
    }

    fn axes(&self) -> String {
        let mut svg = String::new();
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, text) in self.y.1.ticks(self.y.2) {
            let y = self.y_at(value);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 6.0,
                y + 4.5,
                escape(&text)
            );
        }
        for (value, text) in self.x.1.ticks(self.x.2) {
            let x = self.x_at(value);
            // At the right end a text in the middle of its tick would be cut off.
            let (class, at) = match x > WIDTH - TICK_ROOM {
                true => ("end", x.max(WIDTH - RIGHT)),
                false => ("mid", x),
            };
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text class=\"{class}\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
                bottom + 17.0,
                escape(&text)
            );
        }
        let _ = write!(
            svg,
            "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\"/>"
        );
        svg
    }

    fn titles(&self) -> String {
        let title =
            |(name, scale, _): &(String, Scale, Unit)| escape(&format!("{name}{}", scale.note()));
        let (middle, low) = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 8.0);
        let across = (TOP + HEIGHT - BOTTOM) / 2.0;
        format!(
            "<text class=\"mid name\" x=\"{middle}\" y=\"{low}\">{}</text>\
             <text class=\"mid name\" transform=\"translate(13 {across}) rotate(-90)\">{}</text>",
            title(&self.x),
            title(&self.y)
        )
    }

    fn line(&self, line: &Line, style: usize) -> String {
        let mut path = String::new();
        for (index, (x, y)) in line.points.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1}", self.x_at(*x), self.y_at(*y));
        }
        let mut svg = format!("<path class=\"l{style}\" fill=\"none\" d=\"{path}\"/>");
        // A line that is one point long would not be seen.
        let alone = line.points.len() == 1;
        for (x, y) in line.points.iter().filter(|_| alone) {
            let (x, y) = (self.x_at(*x), self.y_at(*y));
            let _ = write!(svg, "<circle class=\"d{style}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
        }
        for (x, y, text) in &line.told {
            let _ = write!(
                svg,
                "<circle class=\"hover\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"7\"><title>{}</title>\
                 </circle>",
                self.x_at(*x),
                self.y_at(*y),
                escape(text)
            );
        }
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_names_its_axes_lines_and_points() {
        let told = vec![(1.0, 5.0, "p90 <5>".to_owned())];
        let points = vec![(0.0, 1.0), (1.0, 5.0)];
        let chart = Chart {
            title: "Latency".to_owned(),
            x: ("percentile".to_owned(), Scale::Nines { max: 1.0 }, Unit::Count),
            y: ("latency".to_owned(), Scale::from_zero([5.0].into_iter()), Unit::Micros),
            lines: vec![Line { name: "a & b".to_owned(), points, told }],
        };
        let html = chart.html("c1");
        for part in [
            "aria-labelledby=\"c1\"",
            "a &amp; b",
            "percentile, a step for each further nine",
            "<title>p90 &lt;5&gt;</title>",
            "d=\"M82.0 204.7L466.0 23.3\"",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }
}
