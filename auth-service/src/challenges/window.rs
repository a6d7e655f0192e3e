//! A count in a stretch of time that begins with the first event.

use std::time::Duration;

use kit::clock::UnixMillis;

/// Events since the first one of a window. A window of an hour admits its
/// number in the hour after its first event, so at most twice that in any hour.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    count: u32,
    since: Option<UnixMillis>,
}

impl Window {
    /// How long until there is room again; `None` if there is room now.
    pub(super) fn full_for(
        &self,
        most: u32,
        length: Duration,
        now: UnixMillis,
    ) -> Option<Duration> {
        let end = self.since?.after(length);
        (end > now && self.count >= most).then(|| now.until(end))
    }

    /// Counts an event.
    pub(super) fn count(&mut self, length: Duration, now: UnixMillis) {
        let since = self.since.filter(|_| self.count > 0);
        let running = since.is_some_and(|since| since.after(length) > now);
        if !running {
            *self = Self {
                count: 0,
                since: Some(now),
            };
        }
        self.count += 1;
    }

    /// Takes an event back. With the only one the window is gone.
    pub(super) fn uncount(&mut self) {
        self.count = self.count.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_full_until_its_end() {
        let length = Duration::from_millis(100);
        let mut window = Window::default();
        assert_eq!(window.full_for(2, length, UnixMillis(0)), None);
        window.count(length, UnixMillis(1000));
        window.count(length, UnixMillis(1040));
        let full = |at| window.full_for(2, length, UnixMillis(at));
        assert_eq!(full(1040), Some(Duration::from_millis(60)));
        assert_eq!(full(1099), Some(Duration::from_millis(1)));
        assert_eq!(full(1100), None);
        window.uncount();
        assert_eq!(window.full_for(2, length, UnixMillis(1050)), None);
        window.count(length, UnixMillis(1100));
        assert_eq!(window.full_for(2, length, UnixMillis(1100)), None);
        assert!(window.full_for(1, length, UnixMillis(1100)).is_some());
        window.uncount();
        window.count(length, UnixMillis(1150));
        let full = window.full_for(1, length, UnixMillis(1150));
        assert_eq!(full, Some(length));
    }
}
