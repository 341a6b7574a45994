//! What each arm looked like, as pictures: how long every connect() took, and what was held in TIME-WAIT meanwhile.
//!
//! Knows shapes and scales. Every picture says in words what it shows, and the table of [`parts`](super::parts) says it again.

use super::{Arm, Experiment, HeldAt, parts::number};
use crate::report::{
    chart::{LEFT, RIGHT, WIDTH, put},
    html::Picture,
    safe::{html, shown},
    words::span,
};

/// Of one arm: its words, then its shapes.
const WORDS: f64 = 15.0;
const GAP: f64 = 8.0;
const AXIS: f64 = 16.0;
/// Blocks above each other; where there are more, several share a lane.
const LANES: usize = 8;
const LANE: f64 = 4.0;
const DOT: f64 = 3.0;
const HELD: f64 = 40.0;

/// Those that there is something to draw for.
pub fn pictures(experiment: &Experiment) -> Vec<Picture> {
    [connects(experiment), held(experiment)].into_iter().flatten().collect()
}

/// A dot for each connect(), a lane for each block, a logarithmic axis for all.
fn connects(experiment: &Experiment) -> Option<Picture> {
    let all = || experiment.arms.iter().flat_map(|arm| &arm.connects);
    let axis = Axis::of(all().map(|connect| connect.took_s))?;
    let lanes =
        experiment.arms.iter().map(|arm| arm.blocks).max().unwrap_or(1).clamp(1, LANES as u64) as usize;
    let shapes = lanes as f64 * LANE;
    let row = WORDS + shapes + GAP;
    let bottom = row * experiment.arms.len() as f64;
    let words: Vec<String> = experiment.arms.iter().map(of_connects).collect();
    let mut out = opened(bottom + AXIS, &words);
    for (decade, at) in axis.decades() {
        put(
            &mut out,
            format_args!(
                "<line class=\"floor\" x1=\"{at:.1}\" y1=\"{WORDS}\" x2=\"{at:.1}\" y2=\"{bottom:.1}\"/>\n"
            ),
        );
        let anchor = if at > RIGHT - 20.0 {
            "end"
        } else if at < LEFT + 20.0 {
            "start"
        } else {
            "middle"
        };
        put(
            &mut out,
            format_args!(
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{decade}</text>\n",
                bottom + 12.0
            ),
        );
    }
    for (nth, (arm, words)) in experiment.arms.iter().zip(&words).enumerate() {
        let top = nth as f64 * row;
        put(
            &mut out,
            format_args!(
                "<text class=\"sign\" x=\"{LEFT}\" y=\"{:.1}\">{}</text>\n",
                top + 11.0,
                html(words)
            ),
        );
        for connect in &arm.connects {
            // In the order of time, from above.
            let lane = connect.block * lanes / (arm.blocks.max(1) as usize).max(lanes);
            let y = top + WORDS + lane.min(lanes - 1) as f64 * LANE;
            put(
                &mut out,
                format_args!(
                    "<rect class=\"{}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{DOT}\" height=\"{DOT}\"/>\n",
                    if connect.let_in { "connect" } else { "refused" },
                    (axis.at(connect.took_s) - DOT / 2.0).clamp(LEFT, RIGHT - DOT),
                ),
            );
        }
    }
    out.push_str("</svg>\n");
    let caption = "A dot for each connect() from a port that was used again, a line of dots for each block: how long it took \
                   until it was let in, or, in the colour of refusals, until the client gave up.";
    Some(Picture { heading: "How long connect() took", caption: caption.to_owned(), svg: out })
}

fn of_connects(arm: &Arm) -> String {
    let label = shown(&arm.label, 40);
    let took = |let_in: bool| {
        let mut took: Vec<f64> = arm
            .connects
            .iter()
            .filter(|connect| connect.let_in == let_in)
            .map(|connect| connect.took_s)
            .collect();
        took.sort_by(f64::total_cmp);
        took
    };
    let (let_in, given_up) = (took(true), took(false));
    let all = arm.connects.len();
    let middle =
        |took: &[f64]| took.get(took.len().saturating_sub(1) / 2).map_or(String::new(), |took| span(*took));
    match (let_in.len(), given_up.len()) {
        (0, 0) if arm.kept > 0 => format!("{label}: none was needed, the connection was kept"),
        (0, 0) if arm.held_here > 0 => format!("{label}: none was sent, this computer held the ports"),
        (0, 0) => format!("{label}: none was tried"),
        (0, _) => format!("{label}: none of {all} let in, given up after {}", middle(&given_up)),
        (some, _) => format!("{label}: {some} of {all} let in, half within {}", middle(&let_in)),
    }
}

/// For each arm the bars of the wire and the line of the device's own list, over the time of a block.
fn held(experiment: &Experiment) -> Option<Picture> {
    let told = || experiment.arms.iter().filter(|arm| !arm.held.is_empty());
    let levels = told().flat_map(|arm| &arm.held).flat_map(|point| [point.wire, point.device]).flatten();
    let most = levels.fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let words: Vec<String> = told().map(of_held).collect();
    let row = WORDS + HELD + AXIS + GAP;
    let mut out = opened(row * words.len() as f64, &words);
    for (nth, (arm, words)) in told().zip(&words).enumerate() {
        let top = nth as f64 * row;
        put(
            &mut out,
            format_args!(
                "<text class=\"sign\" x=\"{LEFT}\" y=\"{:.1}\">{}</text>\n",
                top + 11.0,
                html(words)
            ),
        );
        panel(&mut out, &arm.held, top + WORDS + HELD, most);
    }
    out.push_str("</svg>\n");
    let caption = "Connections from a block's ports in TIME-WAIT on the device, in the average block of each arm. Bars: as the \
                   wire shows it; line: by the device's own list, which is asked once a second and stands until it is \
                   asked again. One scale of height for all; each has its own of time.";
    Some(Picture { heading: "Held in TIME-WAIT", caption: caption.to_owned(), svg: out })
}

fn of_held(arm: &Arm) -> String {
    let (wire, device) = arm.most_held();
    let told = |most: Option<f64>| most.map_or("not told".to_owned(), number);
    format!("{}: most by the wire {}, by its own list {}", shown(&arm.label, 30), told(wire), told(device))
}

/// `floor`: where nothing is held.
fn panel(out: &mut String, points: &[HeldAt], floor: f64, most: f64) {
    let end = points.last().map_or(0.0, |last| last.at_s).max(f64::MIN_POSITIVE);
    let x = |at_s: f64| LEFT + (RIGHT - LEFT) * (at_s / end).clamp(0.0, 1.0);
    let y = |level: f64| floor - level / most * HELD;
    for (from, to) in runs(points, |point| point.wire.filter(|level| *level > 0.0)) {
        let (left, right, top) = (x(from.at_s), x(to), y(from.level));
        put(
            out,
            format_args!(
                "<rect class=\"held\" x=\"{left:.2}\" y=\"{top:.1}\" width=\"{:.2}\" height=\"{:.1}\"/>\n",
                right - left,
                floor - top
            ),
        );
    }
    put(
        out,
        format_args!(
            "<line class=\"floor\" x1=\"{LEFT}\" y1=\"{floor:.1}\" x2=\"{RIGHT}\" y2=\"{floor:.1}\"/>\n"
        ),
    );
    let mut before: Option<f64> = None;
    for (from, to) in runs(points, |point| point.device) {
        let (left, right, level) = (x(from.at_s), x(to), y(from.level));
        if let Some(before) = before {
            put(
                out,
                format_args!(
                    "<line class=\"own\" x1=\"{left:.2}\" y1=\"{before:.1}\" x2=\"{left:.2}\" y2=\"{level:.1}\"/>\n"
                ),
            );
        }
        put(
            out,
            format_args!(
                "<line class=\"own\" x1=\"{left:.2}\" y1=\"{level:.1}\" x2=\"{right:.2}\" y2=\"{level:.1}\"/>\n"
            ),
        );
        before = Some(level);
    }
    let below = floor + 12.0;
    put(out, format_args!("<text x=\"{LEFT}\" y=\"{below:.1}\">0 s</text>\n"));
    put(out, format_args!("<text x=\"{RIGHT}\" y=\"{below:.1}\" text-anchor=\"end\">{}</text>\n", span(end)));
}

/// Where a level begins.
struct Run {
    at_s: f64,
    level: f64,
}

/// Neighbouring points of one level are one shape, each to where the next begins.
fn runs(points: &[HeldAt], level: fn(&HeldAt) -> Option<f64>) -> Vec<(Run, f64)> {
    let mut runs: Vec<(Run, f64)> = Vec::new();
    for pair in points.windows(2) {
        let [point, next] = pair else { continue };
        let Some(level) = level(point) else { continue };
        match runs.last_mut() {
            Some((run, end)) if *end == point.at_s && run.level == level => *end = next.at_s,
            Some(_) | None => runs.push((Run { at_s: point.at_s, level }, next.at_s)),
        }
    }
    runs
}

fn opened(height: f64, words: &[String]) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.1}\" role=\"img\" aria-label=\"{}\">\n",
        html(&words.join("; "))
    )
}

/// A logarithmic axis over whole decades of seconds.
struct Axis {
    first: i32,
    last: i32,
}

impl Axis {
    /// `None` where there is nothing to show.
    fn of(times: impl Iterator<Item = f64>) -> Option<Axis> {
        let (least, most) = times.map(bounded).fold(None, |range, time| match range {
            None => Some((time, time)),
            Some((least, most)) => Some((time.min(least), time.max(most))),
        })?;
        let (first, last) = (least.log10().floor() as i32, most.log10().ceil() as i32);
        Some(Axis { first, last: last.max(first + 1) })
    }

    fn at(&self, time: f64) -> f64 {
        let share = (bounded(time).log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        LEFT + (RIGHT - LEFT) * share
    }

    /// In words, and where.
    fn decades(&self) -> Vec<(&'static str, f64)> {
        const NAMES: [&str; 10] =
            ["1 µs", "10 µs", "0.1 ms", "1 ms", "10 ms", "0.1 s", "1 s", "10 s", "100 s", "1000 s"];
        let decade = |power: i32| {
            let name = usize::try_from(power + 6).ok().and_then(|place| NAMES.get(place))?;
            Some((*name, self.at(10_f64.powi(power))))
        };
        (self.first..=self.last).filter_map(decade).collect()
    }
}

/// What a clock of ours can have measured; results can hold any number.
fn bounded(seconds: f64) -> f64 {
    if seconds.is_finite() { seconds.clamp(1e-6, 1e3) } else { 1e3 }
}

#[cfg(test)]
mod tests {
    use super::super::Connect;
    use super::*;

    #[test]
    fn the_axis_is_of_whole_decades_and_bears_any_number() {
        let axis = Axis::of([0.0004, 0.02, 18.5].into_iter()).unwrap();
        let names: Vec<_> = axis.decades().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["0.1 ms", "1 ms", "10 ms", "0.1 s", "1 s", "10 s", "100 s"]);
        assert_eq!((axis.at(0.0001), axis.at(100.0)), (LEFT, RIGHT));
        assert!(Axis::of(std::iter::empty()).is_none());
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            let axis = Axis::of([odd].into_iter()).unwrap();
            assert!((LEFT..=RIGHT).contains(&axis.at(odd)), "{odd}");
            assert!(!axis.decades().is_empty());
        }
    }

    #[test]
    fn points_of_one_level_are_one_shape() {
        let point = |at_s: f64, wire: Option<f64>| HeldAt { at_s, wire, device: None };
        let points = [
            point(0.0, None),
            point(1.0, Some(2.0)),
            point(2.0, Some(2.0)),
            point(3.0, Some(5.0)),
            point(4.0, None),
        ];
        let runs: Vec<_> =
            runs(&points, |point| point.wire).iter().map(|(run, to)| (run.at_s, run.level, *to)).collect();
        assert_eq!(runs, [(1.0, 2.0, 3.0), (3.0, 5.0, 4.0)]);
    }

    #[test]
    fn every_connect_has_its_dot_and_what_is_not_there_is_not_drawn() {
        let connect = |block, took_s, let_in| Connect { block, took_s, let_in };
        let arm = |label: &str, connects: Vec<Connect>| Arm {
            label: label.to_owned(),
            blocks: 2,
            connects_all: connects.len(),
            connects,
            ..Arm::default()
        };
        let arms = vec![
            arm("unfixed", vec![connect(0, 20.0, false), connect(1, 20.0, false)]),
            arm("fixed", vec![connect(0, 0.001, true), connect(1, 0.002, true), connect(1, 7.0, false)]),
            arm("kept", Vec::new()),
        ];
        let experiment = Experiment { arms, ..Experiment::default() };
        let pictures = pictures(&experiment);
        assert_eq!(pictures.len(), 1, "nothing is known of TIME-WAIT");
        let svg = &pictures[0].svg;
        assert_eq!((svg.matches("\"connect\"").count(), svg.matches("\"refused\"").count()), (2, 3));
        for words in [
            "none of 2 let in, given up after 20.0 s",
            "2 of 3 let in, half within 1.0 ms",
            "kept: none was tried",
        ] {
            assert_eq!(svg.matches(words).count(), 2, "for the eye and for the ear: {words}: {svg}");
        }
        assert!(super::pictures(&Experiment::default()).is_empty());
    }
}
