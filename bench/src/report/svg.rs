//! A few shapes of SVG.

use std::fmt::Write as _;

/// The colours of what is told apart, readable on white and on black.
pub(crate) const COLOURS: [&str; 8] = [
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#888888", "#994455",
];

/// A drawing.
pub(crate) struct Drawing {
    width: u32,
    height: u32,
    shapes: String,
}

impl Drawing {
    /// An empty one.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            shapes: String::new(),
        }
    }

    /// A filled box.
    pub(crate) fn bar(&mut self, [x, y, width, height]: [f64; 4], colour: &str) {
        self.shape(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#
        ));
    }

    /// The same with a text that shows when it is pointed at.
    pub(crate) fn told_bar(&mut self, [x, y, width, height]: [f64; 4], colour: &str, told: &str) {
        let told = escaped(told);
        self.shape(format_args!(
            r#"<rect x="{x:.1}" y="{y:.0}" width="{width:.1}" height="{height:.0}" fill="{colour}"><title>{told}</title></rect>"#
        ));
    }

    /// A line from point to point.
    pub(crate) fn line(&mut self, points: &[(f64, f64)], colour: &str, width: f64) {
        let points: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let points = points.join(" ");
        self.shape(format_args!(
            r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>"#
        ));
    }

    /// A text that begins, has its middle or ends (`start`, `middle`, `end`) here.
    pub(crate) fn text(&mut self, (x, y): (f64, f64), anchor: &str, text: &str) {
        let text = escaped(text);
        self.shape(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    fn shape(&mut self, shape: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.shapes, "{shape}");
    }

    /// The document.
    pub(crate) fn finish(self) -> String {
        let Self {
            width,
            height,
            shapes,
        } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{shapes}</svg>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_escaped() {
        let mut drawing = Drawing::new(10, 10);
        drawing.text((1.0, 2.0), "start", "a < b & c");
        let svg = drawing.finish();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("a &lt; b &amp; c"));
    }
}
