//! What time a stamp says: advanced by the boot clock, steered towards the wall clock.
//!
//! Pure: readings come in, stamps go out, so the whole rule is tested by table. It does not read
//! clocks, ask peers or audit; the caller does, once a second, through `check`.
//! Invariant: stamps never go back, whatever the wall clock does; and between two checks they
//! advance by the boot clock at a rate between one half and 1.05, towards the wall and not past it.

use super::Reading;

/// Up to this offset (5 s) stamps are slewed; also how far a node may be off its peers' median.
pub const SLEW_MAX_MS: u64 = 5_000;
/// The most (24 h) that automatic steps may add up to within 24 h of boot time.
pub const AUTOMATIC_STEP_MAX_MS: u64 = 24 * 3_600_000;
/// Further behind than this (5 min) the node is not ready.
pub const BEHIND_MAX_MS: u64 = 300_000;

/// How long the wall clock must stay ahead before it is believed.
const AHEAD_WAIT_MS: u64 = 10_000;
/// Checks are due each second; without one for this long (a suspend, a stop) nothing is trusted.
const CHECK_MAX_AGE_MS: u64 = 5_000;
/// Right after a start the clocks of two nodes are known before that of the third: a disagreement
/// only counts as one when it has lasted for this long.
const SPLIT_WAIT_MS: u64 = 5_000;
/// A slew aims to be done in 20 s; one per mille more or less per 20 ms of offset.
const SLEW_DIVISOR: i64 = 20;
/// The fastest slew of a small offset, in per mille.
const SLEW_RATE_MAX: i64 = 50;
/// The slew when too far behind: half speed.
const SLEW_RATE_BEHIND: i64 = -500;

/// What the other voters believe the time to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peers {
    /// There is no other voter, so nobody has to agree.
    SoleVoter,
    /// Not known now; an automatic step has to wait.
    Unknown,
    /// They are known and no majority of all clocks agrees; an automatic step has to wait.
    Split,
    /// The median of all wall clocks at the time of the reading, in milliseconds.
    Median(u64),
}

impl Peers {
    fn agree_with(self, wall_ms: u64) -> bool {
        match self {
            Self::SoleVoter => true,
            Self::Unknown | Self::Split => false,
            Self::Median(theirs_ms) => wall_ms.abs_diff(theirs_ms) <= SLEW_MAX_MS,
        }
    }
}

/// How stamp and wall clock stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// No check for 5 s, as after a resume, or none since the start at which the peers' clocks were
    /// known: sign and stamp nothing yet.
    Unchecked,
    /// The wall is more than 5 s off the peers' median: stamps go on by the boot clock alone, and
    /// are given to nothing.
    OffPeers,
    /// Within 5 s; slewing.
    Sound,
    /// The wall is ahead by more than 5 s; waiting until it is believed.
    Ahead,
    /// The wall is ahead by more than the node may step by itself; a restart believes it.
    AheadTooFar,
    /// The wall is behind by more than 5 s; stamps advance at half speed.
    Behind,
    /// The wall is behind by more than 5 min.
    BehindTooFar,
}

impl Health {
    /// Whether only an operator, or hours, bring this node's own wall clock and the stamps
    /// together, whatever the peers' clocks say.
    pub const fn is_stuck(self) -> bool {
        matches!(self, Self::AheadTooFar | Self::BehindTooFar)
    }

    /// Whether the node may sign, stamp and say that it is ready.
    pub const fn ready(self) -> bool {
        matches!(self, Self::Sound | Self::Ahead | Self::Behind)
    }
}

/// A jump of stamp time; the caller audits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The stamp just before.
    pub from_ms: u64,
    /// The stamp just after.
    pub to_ms: u64,
}

/// What one check found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Wall minus stamp, before a step.
    pub offset_ms: i64,
    /// The state after the check.
    pub health: Health,
    /// A step made by this check.
    pub step: Option<Step>,
}

/// Nothing is stamped until the first check at which the peers were known.
#[derive(Debug, Clone, Copy)]
struct Waits {
    /// The latest stamp known to be applied: stamps may begin anywhere behind it.
    behind_ms: u64,
    since_boot_ms: u64,
}

/// The stamps of one process.
#[derive(Debug, Clone)]
pub struct StampClock {
    /// The stamp at `base_boot_ms`, in microseconds so that slow rates lose nothing.
    base_us: u64,
    base_boot_ms: u64,
    /// How much faster than the boot clock, in per mille.
    slew: i64,
    /// What the slew may still add up to, so that rare checks do not overshoot.
    slew_left_us: i64,
    checked: Option<(u64, Health)>,
    /// Until stamps have begun.
    waits: Option<Waits>,
    ahead_since_boot_ms: Option<u64>,
    /// Automatic steps of the last 24 h: when the span began and what they add up to.
    steps_since_boot_ms: u64,
    stepped_ms: u64,
}

impl StampClock {
    /// Starts at the wall clock, or at the last stamp this node has applied if that is later.
    ///
    /// However long the node was down, the time in between is real and no step: a boot clock does
    /// not reach across processes, so there is nothing to check the wall clock against but the
    /// peers, and `check` does that before the first stamp: it begins at their time.
    pub fn start(last_stamp_ms: u64, reading: Reading) -> Self {
        Self {
            base_us: reading.wall_ms.max(last_stamp_ms).saturating_mul(1_000),
            base_boot_ms: reading.boot_ms,
            slew: 0,
            slew_left_us: 0,
            checked: None,
            waits: Some(Waits { behind_ms: last_stamp_ms, since_boot_ms: reading.boot_ms }),
            ahead_since_boot_ms: None,
            steps_since_boot_ms: reading.boot_ms,
            stepped_ms: 0,
        }
    }

    /// The stamp at a boot time, in milliseconds since the epoch; an earlier boot time than one
    /// already seen gives the stamp of that moment.
    pub fn now_ms(&mut self, boot_ms: u64) -> u64 {
        self.rebase(boot_ms);
        self.base_us / 1_000
    }

    /// The state at a boot time: that of the last check, unless that is too long ago.
    pub fn health(&self, boot_ms: u64) -> Health {
        match self.checked {
            Some((at, health)) if boot_ms.saturating_sub(at) <= CHECK_MAX_AGE_MS => health,
            _ => Health::Unchecked,
        }
    }

    /// Whether the peers' clocks were known at one check since the start.
    pub const fn begun(&self) -> bool {
        self.waits.is_none()
    }

    /// Takes note of an applied stamp: another leader's clock may be ahead of this one's.
    pub fn observe(&mut self, applied_ms: u64, boot_ms: u64) {
        self.rebase(boot_ms);
        self.base_us = self.base_us.max(applied_ms.saturating_mul(1_000));
        if let Some(waits) = &mut self.waits {
            waits.behind_ms = waits.behind_ms.max(applied_ms);
        }
    }

    /// Compares stamp and wall and decides how to go on; due each second.
    pub fn check(&mut self, reading: Reading, peers: Peers) -> Check {
        self.rebase(reading.boot_ms);
        if !self.begins(peers, reading.boot_ms) {
            return Check { offset_ms: 0, health: Health::Unchecked, step: None };
        }
        let stamp_ms = self.base_us / 1_000;
        let offset_ms = signed_difference(reading.wall_ms, stamp_ms);
        let apart_ms = offset_ms.unsigned_abs();
        let ahead = offset_ms > 0 && apart_ms > SLEW_MAX_MS;
        if !ahead {
            self.ahead_since_boot_ms = None;
        }
        let mut step = None;
        (self.slew, self.slew_left_us) = (0, offset_ms.saturating_mul(1_000));
        let off = matches!(peers, Peers::Median(_)) && !peers.agree_with(reading.wall_ms);
        let health = if off {
            self.ahead_since_boot_ms = None;
            Health::OffPeers
        } else if ahead {
            step = self.step_if_believed(reading, apart_ms, peers);
            match step {
                Some(_) => Health::Sound,
                None if apart_ms > self.step_left_ms(reading.boot_ms) => Health::AheadTooFar,
                None => Health::Ahead,
            }
        } else if apart_ms <= SLEW_MAX_MS {
            self.slew = (offset_ms / SLEW_DIVISOR).clamp(-SLEW_RATE_MAX, SLEW_RATE_MAX);
            Health::Sound
        } else {
            self.slew = SLEW_RATE_BEHIND;
            if apart_ms > BEHIND_MAX_MS { Health::BehindTooFar } else { Health::Behind }
        };
        self.checked = Some((reading.boot_ms, health));
        Check { offset_ms, health, step }
    }

    /// Whether stamps have begun: not before the peers' clocks were known once.
    fn begins(&mut self, peers: Peers, boot_ms: u64) -> bool {
        let Some(Waits { behind_ms, since_boot_ms }) = self.waits else { return true };
        match peers {
            Peers::Unknown => return false,
            Peers::Split if boot_ms.saturating_sub(since_boot_ms) < SPLIT_WAIT_MS => return false,
            Peers::Median(theirs_ms) => {
                self.base_us = theirs_ms.max(behind_ms).saturating_mul(1_000);
            }
            Peers::SoleVoter | Peers::Split => {}
        }
        self.waits = None;
        true
    }

    fn step_if_believed(&mut self, reading: Reading, ahead_ms: u64, peers: Peers) -> Option<Step> {
        let since = *self.ahead_since_boot_ms.get_or_insert(reading.boot_ms);
        let believed = reading.boot_ms.saturating_sub(since) >= AHEAD_WAIT_MS
            && peers.agree_with(reading.wall_ms);
        if !believed || ahead_ms > self.step_left_ms(reading.boot_ms) {
            return None;
        }
        if reading.boot_ms.saturating_sub(self.steps_since_boot_ms) > AUTOMATIC_STEP_MAX_MS {
            self.steps_since_boot_ms = reading.boot_ms;
            self.stepped_ms = 0;
        }
        self.stepped_ms = self.stepped_ms.saturating_add(ahead_ms);
        self.ahead_since_boot_ms = None;
        let from_ms = self.base_us / 1_000;
        self.base_us = reading.wall_ms.saturating_mul(1_000);
        Some(Step { from_ms, to_ms: reading.wall_ms })
    }

    /// What automatic steps may still add up to.
    fn step_left_ms(&self, boot_ms: u64) -> u64 {
        if boot_ms.saturating_sub(self.steps_since_boot_ms) > AUTOMATIC_STEP_MAX_MS {
            return AUTOMATIC_STEP_MAX_MS;
        }
        AUTOMATIC_STEP_MAX_MS.saturating_sub(self.stepped_ms)
    }

    fn rebase(&mut self, boot_ms: u64) {
        let elapsed_ms = boot_ms.saturating_sub(self.base_boot_ms);
        self.base_boot_ms = self.base_boot_ms.max(boot_ms);
        // Milliseconds times per mille are microseconds; at most half of them is taken back.
        let slewed_us = i64::try_from(elapsed_ms).unwrap_or(i64::MAX).saturating_mul(self.slew);
        let left_us = self.slew_left_us;
        let slewed_us = slewed_us.clamp(left_us.min(0), left_us.max(0));
        self.slew_left_us = left_us.saturating_sub(slewed_us);
        let elapsed_us = elapsed_ms.saturating_mul(1_000).saturating_add_signed(slewed_us);
        self.base_us = self.base_us.saturating_add(elapsed_us);
    }
}

fn signed_difference(left: u64, right: u64) -> i64 {
    let apart = i64::try_from(left.abs_diff(right)).unwrap_or(i64::MAX);
    if left >= right { apart } else { -apart }
}

#[cfg(test)]
mod tests;
