//! What comes from elsewhere than the source: markers, accounts of devices, and orders.

use core::time::Duration;

use super::Running;

/// What comes from elsewhere waits no longer than this among frames, by their time.
const ASK_EVERY: Duration = Duration::from_millis(1);

impl Running {
    /// Not before each of many frames: to look whether somebody said something costs more than to read one.
    pub(super) fn is_time_to_ask(&mut self) -> bool {
        // Either way: the clock may have been set.
        let is_due = self.now.is_far_from(self.asked, ASK_EVERY);
        if is_due {
            self.asked = self.now;
        }
        is_due
    }

    pub(super) fn take_asides(&mut self) {
        while let Ok(input) = self.parts.asides.try_recv() {
            self.parts.engine.handle(input);
        }
    }

    pub(super) fn take_orders(&mut self) {
        if let Some(orders) = &mut self.parts.orders
            && let Some(rules) = orders.next()
        {
            self.parts.engine.reload(rules);
        }
    }
}
