//! Plots as SVG, small enough to be read as text.

use std::fmt::Write as _;

use crate::figures::{Spread, shown};

const WIDTH: f64 = 860.0;
const ROW: f64 = 28.0;
const LABELS: f64 = 380.0;
const NUMBERS: f64 = 90.0;

/// Horizontal bars of medians, with a line from the lowest to the highest.
pub(crate) fn bars(unit: &str, bars: &[(String, Spread)]) -> String {
    let height = ROW * (f64::from(u32::try_from(bars.len()).unwrap_or_default()) + 1.5);
    let most = bars.iter().map(|(_, spread)| spread.high).fold(1e-9, f64::max);
    let room = WIDTH - LABELS - NUMBERS;
    let x = |figure: f64| LABELS + figure / most * room;
    let mut svg = begin(height);
    let mut top = ROW / 2.0;
    for (label, spread) in bars {
        let middle = top + ROW / 2.0;
        let _infallible = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LABELS:.0}\" y=\"{:.0}\" width=\"{:.1}\" height=\"{:.0}\" fill=\"#4a7fb5\"/>\
             <path d=\"M{:.1} {middle:.0}H{:.1}\" stroke=\"#1d3550\" stroke-width=\"2\"/>\
             <text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
            LABELS - 8.0,
            middle + 4.0,
            escaped(label),
            top + 4.0,
            x(spread.median) - LABELS,
            ROW - 8.0,
            x(spread.low),
            x(spread.high),
            x(spread.high) + 8.0,
            middle + 4.0,
            shown(spread.median),
        );
        top += ROW;
    }
    let _infallible = writeln!(svg, "<text x=\"{LABELS:.0}\" y=\"{:.0}\">{}</text>\n</svg>", top + 20.0, escaped(unit));
    svg
}

/// A line through points, both axes by logarithm of 10, each point with its figure.
pub(crate) fn line(x_unit: &str, y_unit: &str, series: &[(String, Vec<(f64, f64)>)]) -> String {
    const HEIGHT: f64 = 360.0;
    const MARGIN: f64 = 60.0;
    const COLORS: [&str; 4] = ["#4a7fb5", "#b5574a", "#5b8f4d", "#7a5ba6"];
    let points = || series.iter().flat_map(|(_, points)| points);
    let range = |figure: fn(&(f64, f64)) -> f64| {
        let logs = points().map(|point| figure(point).max(1e-9).log10());
        let (low, high) = logs.fold((f64::MAX, f64::MIN), |(low, high), log| (low.min(log), high.max(log)));
        (low, (high - low).max(0.1))
    };
    let ((left, width), (bottom, height)) = (range(|point| point.0), range(|point| point.1));
    let x = |figure: f64| MARGIN + (figure.max(1e-9).log10() - left) / width * (WIDTH - 3.0 * MARGIN);
    let y = |figure: f64| HEIGHT - MARGIN - (figure.max(1e-9).log10() - bottom) / height * (HEIGHT - 2.0 * MARGIN);
    let mut svg = begin(HEIGHT);
    for (place, (label, points)) in series.iter().enumerate() {
        let color = COLORS.iter().cycle().nth(place).copied().unwrap_or("#000");
        let path: Vec<String> = points.iter().map(|(px, py)| format!("{:.1} {:.1}", x(*px), y(*py))).collect();
        let _infallible = writeln!(
            svg,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>\n<text x=\"{MARGIN}\" y=\"{}\" fill=\"{color}\">{}</text>",
            path.join("L"),
            18 + 16 * place,
            escaped(label)
        );
        for (px, py) in points {
            let _infallible = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{color}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                x(*px),
                y(*py),
                x(*px),
                y(*py) - 8.0,
                shown(*py),
                x(*px),
                HEIGHT - MARGIN + 20.0,
                shown(*px),
            );
        }
    }
    let _infallible = writeln!(
        svg,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}: {}</text>\n</svg>",
        WIDTH / 2.0,
        HEIGHT - 10.0,
        escaped(x_unit),
        escaped(y_unit)
    );
    svg
}

fn begin(height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_shows_its_figures_and_nothing_of_a_label_is_markup() {
        let spread = Spread { low: 1.0, median: 2.0, high: 3.0 };
        let svg = bars("us", &[("a < b & c".to_owned(), spread)]);
        assert!(svg.contains("a &lt; b &amp; c") && svg.contains(">2.00<") && svg.ends_with("</svg>\n"), "{svg}");
        let svg = line("connections", "a second", &[("rate".to_owned(), vec![(1.0, 10.0), (16.0, 100.0)])]);
        assert!(svg.contains(">10.0<") && svg.contains(">100<") && !svg.contains("NaN"), "{svg}");
    }
}
