//! The only reader of clocks, and the rule that turns their readings into stamps.
//!
//! `Clock` gives the wall clock (what people call the time; it may jump) and the boot clock (never
//! jumps, counts through suspend, means nothing across reboots). Durations and timeouts use the
//! boot clock; only ids, logs and the stamp rule look at the wall. State time comes from stamps
//! alone.

pub mod stamp;
pub mod stamps;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// The clock that counts from boot, suspend included. Elsewhere than on Linux the monotonic clock
/// is the nearest thing (on macOS it does count through sleep).
#[cfg(target_os = "linux")]
const BOOT: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const BOOT: ClockId = ClockId::Monotonic;

/// One look at both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// Milliseconds since boot, suspend included.
    pub boot_ms: u64,
}

/// A pair of clocks: the machine's, or two numbers that a test moves. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<Manual>),
}

#[derive(Debug)]
struct Manual {
    wall_us: AtomicU64,
    boot_us: AtomicU64,
}

impl Clock {
    /// The machine's clocks.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// For tests: stands still at `wall_ms` (boot clock at one hour) until moved.
    pub fn manual(wall_ms: u64) -> Self {
        Self(Source::Manual(Arc::new(Manual {
            wall_us: AtomicU64::new(wall_ms.saturating_mul(1_000)),
            boot_us: AtomicU64::new(3_600_000_000),
        })))
    }

    /// Milliseconds since the Unix epoch, as this machine believes; may jump either way.
    pub fn wall_ms(&self) -> u64 {
        match &self.0 {
            Source::System => micros(clock_gettime(ClockId::Realtime)) / 1_000,
            Source::Manual(manual) => manual.wall_us.load(Ordering::Acquire) / 1_000,
        }
    }

    /// Seconds since the Unix epoch, as this machine believes.
    pub fn wall_s(&self) -> u64 {
        self.wall_ms() / 1_000
    }

    /// Microseconds since boot, suspend included; never goes back.
    pub fn boot_us(&self) -> u64 {
        match &self.0 {
            Source::System => micros(clock_gettime(BOOT)),
            Source::Manual(manual) => manual.boot_us.load(Ordering::Acquire),
        }
    }

    /// Milliseconds since boot, suspend included; never goes back.
    pub fn boot_ms(&self) -> u64 {
        self.boot_us() / 1_000
    }

    /// Both clocks, read one after the other.
    pub fn read(&self) -> Reading {
        Reading { wall_ms: self.wall_ms(), boot_ms: self.boot_ms() }
    }

    /// For tests: lets time pass on both clocks. The machine's clocks ignore it.
    pub fn advance_ms(&self, elapsed_ms: u64) {
        if let Source::Manual(manual) = &self.0 {
            let elapsed_us = elapsed_ms.saturating_mul(1_000);
            manual.wall_us.fetch_add(elapsed_us, Ordering::AcqRel);
            manual.boot_us.fetch_add(elapsed_us, Ordering::AcqRel);
        }
    }

    /// For tests: somebody sets the wall clock. The machine's clocks ignore it.
    pub fn set_wall_ms(&self, wall_ms: u64) {
        if let Source::Manual(manual) = &self.0 {
            manual.wall_us.store(wall_ms.saturating_mul(1_000), Ordering::Release);
        }
    }
}

impl raft::Time for Clock {
    fn wall_ms(&self) -> u64 {
        Self::wall_ms(self)
    }

    fn boot_ms(&self) -> u64 {
        Self::boot_ms(self)
    }
}

/// A time before the epoch (a dead battery) reads as the epoch itself.
fn micros(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_clocks_are_plausible_and_boot_time_does_not_go_back() {
        let clock = Clock::system();
        assert!(clock.wall_ms() > 1_700_000_000_000);
        let first = clock.boot_us();
        assert!(first > 0 && clock.boot_us() >= first);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(5_000);
        let twin = clock.clone();
        let before = clock.read();
        assert_eq!(before, twin.read());
        twin.advance_ms(250);
        let after = clock.read();
        assert_eq!(after.wall_ms - before.wall_ms, 250);
        assert_eq!(after.boot_ms - before.boot_ms, 250);
        clock.set_wall_ms(1);
        assert_eq!(clock.read(), Reading { wall_ms: 1, boot_ms: after.boot_ms });
    }
}
