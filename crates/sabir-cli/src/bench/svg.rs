//! The percentiles as a picture.

use std::fmt::Write as _;

use super::histogram::Histogram;
use super::load::Measured;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
/// Room for the words at the sides.
const LEFT: f64 = 64.0;
const TOP: f64 = 24.0;
const RIGHT: f64 = 16.0;
const BOTTOM: f64 = 36.0;

/// Time over the share of answers that had come by then: a curve for whole answers, and one for first tokens.
pub(super) fn draw(measured: &Measured) -> String {
    let curves = [("whole answer", "#1f6feb", &measured.total), ("first token", "#d29922", &measured.first)];
    let most = curves.iter().filter_map(|(.., histogram)| histogram.most()).max().unwrap_or(0).max(1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"11\"><rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    // Writing to a string does not fail.
    for quarter in 0..=4_u64 {
        let value = most * quarter / 4;
        let y = y(value, most);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            words(value)
        );
    }
    for thousandths in [0, 250, 500, 750, 900, 950, 990] {
        let x = x(thousandths);
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} {TOP}V{:.1}\" stroke=\"#eee\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">p{}</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 16.0,
            thousandths / 10
        );
    }
    for (index, (name, colour, histogram)) in curves.into_iter().filter(|(.., h)| h.count() > 0).enumerate() {
        let _ = writeln!(
            svg,
            "<path d=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            curve(histogram, most)
        );
        let at = LEFT + 8.0 + 120.0 * f64::from(u32::try_from(index).unwrap_or(0));
        let _ = writeln!(svg, "<text x=\"{at}\" y=\"16\" fill=\"{colour}\">{name}</text>");
    }
    svg.push_str("</svg>\n");
    svg
}

fn curve(histogram: &Histogram, most: u64) -> String {
    let mut path = String::new();
    for thousandths in (0..=1_000).step_by(5) {
        if let Some(value) = histogram.at(thousandths) {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1}", x(thousandths), y(value, most));
        }
    }
    path
}

/// The last tenth has half of the width: that is where servers differ.
fn x(thousandths: u64) -> f64 {
    let share = f64::from(u32::try_from(thousandths).unwrap_or(1_000)) / 1_000.0;
    let at = if share < 0.9 { share / 0.9 * 0.5 } else { 0.5 + (share - 0.9) / 0.1 * 0.5 };
    LEFT + at * (WIDTH - LEFT - RIGHT)
}

#[expect(clippy::cast_precision_loss, reason = "a picture has a thousand points")]
fn y(value: u64, most: u64) -> f64 {
    HEIGHT - BOTTOM - value as f64 / most as f64 * (HEIGHT - TOP - BOTTOM)
}

/// Microseconds, for an axis.
fn words(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..10_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{} s", micros / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_a_curve_for_what_was_measured_and_stays_in_its_frame() {
        let mut measured = Measured::default();
        (1..=1_000).for_each(|ms| measured.total.record(ms * 1_000));
        let svg = draw(&measured);
        assert!(svg.contains("whole answer") && !svg.contains("first token"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert_eq!([0, 900, 1_000].map(|thousandths| format!("{:.1}", x(thousandths))), ["64.0", "344.0", "624.0"]);
        assert_eq!([0, 7].map(|value| format!("{:.1}", y(value, 7))), ["284.0", "24.0"]);
        assert!(draw(&Measured::default()).ends_with("</svg>\n"));
    }
}
