//! Small pictures of numbers: what is held in TIME-WAIT and for how long yet, and a minute's pulse.
//!
//! Knows how to draw a number as a bar. Refuses to judge it, and to stand alone: the number is written beside it.

use core::time::Duration;

use crate::tui::theme::Theme;

/// Connection blocks that ESP-IDF has as shipped (`CONFIG_LWIP_MAX_ACTIVE_TCP`).
const BLOCKS: usize = 16;
/// Cells at most.
const WIDEST: usize = 32;

/// A cell for each tuple that is held, the fuller the longer it stays, and a dot for each block beside them.
///
/// `left`: how long each stays yet, of `whole` at most. `blocks`: how many there are, where that is known.
pub fn held(theme: Theme, left: &[Duration], whole: Duration, blocks: Option<u32>) -> String {
    let glyphs = theme.glyphs();
    let slots = blocks.map_or(BLOCKS, |blocks| blocks as usize).max(left.len()).min(WIDEST);
    let mut cells = String::new();
    for at in 0..slots {
        // The longest first, so that the bar wears down at its end.
        cells.push_str(match left.len().checked_sub(at + 1).and_then(|at| left.get(at)) {
            Some(left) => bar(theme, left.as_secs_f64(), whole.as_secs_f64()),
            None => glyphs.no_bar,
        });
    }
    cells
}

/// A bar for each value, the highest as high as can be; nothing where there is nothing.
pub fn spark(theme: Theme, values: &[f64]) -> String {
    let most = values.iter().copied().fold(0.0, f64::max);
    values.iter().map(|value| bar(theme, *value, most)).collect()
}

fn bar(theme: Theme, value: f64, most: f64) -> &'static str {
    let glyphs = theme.glyphs();
    let [lowest, ..] = glyphs.bars;
    if value <= 0.0 || most <= 0.0 {
        return glyphs.no_bar;
    }
    let steps = glyphs.bars.len();
    let step = (value / most * steps as f64).ceil() as usize;
    glyphs.bars.get(step.clamp(1, steps) - 1).copied().unwrap_or(lowest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_say_how_much_and_dots_how_little() {
        let theme = Theme::default();
        assert_eq!(spark(theme, &[0.0, 1.0, 4.0, 8.0, 0.001]), "·▁▄█▁");
        assert_eq!(spark(theme, &[0.0, 0.0]), "··");
        assert_eq!(spark(theme, &[f64::NAN, 1.0]), "▁█");
        let seconds = [1, 60, 120].map(Duration::from_secs);
        assert_eq!(held(theme, &seconds, Duration::from_secs(120), Some(5)), "█▄▁··");
        assert_eq!(held(theme, &[], Duration::from_secs(120), None), "·".repeat(16));
        assert_eq!(held(theme, &[Duration::MAX; 90], Duration::ZERO, Some(9)).chars().count(), 32);
    }
}
