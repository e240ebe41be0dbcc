//! The stamp rule by table: a story is a list of (seconds, what the wall clock does) and what must
//! hold after it.

use super::*;

const START_MS: u64 = 1_800_000_000_000;

/// Runs one check per second for `seconds`, with the wall clock going at its normal speed.
struct Machine {
    clock: StampClock,
    reading: Reading,
    peers: Peers,
    steps: Vec<Step>,
    last_stamp_ms: u64,
}

impl Machine {
    fn new(peers: Peers) -> Self {
        let reading = Reading { wall_ms: START_MS, boot_ms: 1_000 };
        let mut clock = StampClock::start(0, reading);
        clock.check(reading, peers);
        Self { clock, reading, peers, steps: Vec::new(), last_stamp_ms: START_MS }
    }

    fn jump(&mut self, by_ms: i64) -> &mut Self {
        self.reading.wall_ms = self.reading.wall_ms.saturating_add_signed(by_ms);
        self
    }

    fn run(&mut self, seconds: u64) -> Check {
        let mut check = None;
        for _ in 0..seconds {
            self.reading.wall_ms += 1_000;
            self.reading.boot_ms += 1_000;
            let found = self.clock.check(self.reading, self.peers);
            self.steps.extend(found.step);
            let stamp_ms = self.stamp_ms();
            assert!(stamp_ms >= self.last_stamp_ms, "a stamp went back");
            self.last_stamp_ms = stamp_ms;
            check = Some(found);
        }
        check.expect("at least one second")
    }

    fn stamp_ms(&mut self) -> u64 {
        self.clock.now_ms(self.reading.boot_ms)
    }

    fn offset_ms(&mut self) -> i64 {
        let stamp_ms = self.stamp_ms();
        signed_difference(self.reading.wall_ms, stamp_ms)
    }
}

#[test]
fn stamps_follow_an_undisturbed_wall_clock_exactly() {
    let mut machine = Machine::new(Peers::SoleVoter);
    let check = machine.run(3_600);
    assert_eq!(check, Check { offset_ms: 0, health: Health::Sound, step: None });
    assert_eq!(machine.stamp_ms(), START_MS + 3_600_000);
}

#[test]
fn a_small_offset_is_slewed_by_at_most_five_per_cent_and_without_a_step() {
    for by_ms in [-5_000, -1_000, -100, 100, 1_000, 5_000] {
        let mut machine = Machine::new(Peers::SoleVoter);
        machine.jump(by_ms).run(1);
        for _ in 0..300 {
            let before = machine.stamp_ms();
            assert_eq!(machine.run(1).health, Health::Sound);
            let advanced = machine.stamp_ms() - before;
            assert!((950..=1_050).contains(&advanced), "{by_ms}: {advanced} in one second");
        }
        assert!(machine.steps.is_empty());
        let left_ms = machine.offset_ms();
        assert!(left_ms.abs() <= 20, "{by_ms} left {left_ms}");
    }
}

#[test]
fn a_wall_clock_ahead_is_believed_after_ten_seconds_and_stepped_to_once() {
    let mut machine = Machine::new(Peers::SoleVoter);
    assert_eq!(machine.jump(3_600_000).run(10).health, Health::Ahead);
    assert!(machine.steps.is_empty());
    let check = machine.run(1);
    assert_eq!(check.health, Health::Sound);
    let step = check.step.expect("a step");
    assert_eq!(step.to_ms - step.from_ms, 3_600_000);
    machine.run(60);
    assert_eq!(machine.steps.len(), 1);
    assert_eq!(machine.offset_ms(), 0);
}

#[test]
fn a_wall_clock_that_comes_back_within_ten_seconds_is_never_followed() {
    let mut machine = Machine::new(Peers::SoleVoter);
    for _ in 0..5 {
        machine.jump(3_600_000).run(9);
        machine.jump(-3_600_000).run(5);
    }
    assert!(machine.steps.is_empty());
    assert_eq!(machine.offset_ms(), 0);
}

#[test]
fn a_step_needs_the_peers_to_agree() {
    for (name, peers_ahead_ms, agrees) in
        [("unknown", None, false), ("disagree", Some(0), false), ("agree", Some(3_600_000), true)]
    {
        let mut machine = Machine::new(Peers::SoleVoter);
        machine.jump(3_600_000);
        for _ in 0..30 {
            let true_ms = machine.reading.wall_ms - 3_600_000 + 1_000;
            machine.peers = peers_ahead_ms.map_or(Peers::Unknown, |by| Peers::Median(true_ms + by));
            machine.run(1);
        }
        assert_eq!(machine.steps.len(), usize::from(agrees), "{name}");
    }
}

#[test]
fn automatic_steps_add_up_to_at_most_a_day_per_day() {
    let mut machine = Machine::new(Peers::SoleVoter);
    let check = machine.jump(AUTOMATIC_STEP_MAX_MS as i64 + 1).run(60);
    assert_eq!(check.health, Health::AheadTooFar);
    assert!(!check.health.ready());
    machine.jump(-1).run(60);
    assert_eq!(machine.steps.len(), 1, "exactly a day is allowed");
    assert_eq!(machine.jump(6_000).run(60).health, Health::AheadTooFar, "the day is used up");
    assert_eq!(machine.steps.len(), 1);
    machine.run(24 * 3_600);
    assert_eq!(machine.steps.len(), 2, "the next day may step again");
    assert_eq!(machine.offset_ms(), 0);
}

#[test]
fn a_wall_clock_behind_halves_the_speed_and_never_turns_it_back() {
    let mut machine = Machine::new(Peers::SoleVoter);
    machine.jump(-60_000);
    assert_eq!(machine.run(1).health, Health::Behind);
    let before = machine.stamp_ms();
    machine.run(10);
    assert_eq!(machine.stamp_ms() - before, 5_000);
    let check = machine.run(300);
    assert_eq!(check.health, Health::Sound);
    assert!(machine.offset_ms().abs() <= 20);
    assert!(machine.steps.is_empty());
}

#[test]
fn more_than_five_minutes_behind_is_not_ready() {
    let mut machine = Machine::new(Peers::SoleVoter);
    let check = machine.jump(-(BEHIND_MAX_MS as i64) - 1_000).run(1);
    assert_eq!(check.health, Health::BehindTooFar);
    assert!(!check.health.ready());
    assert_eq!(machine.run(10).health, Health::Behind, "half speed lets the wall catch up");
}

#[test]
fn nothing_is_trusted_before_the_first_check_and_after_a_suspend() {
    let reading = Reading { wall_ms: START_MS, boot_ms: 50 };
    let fresh = StampClock::start(0, reading);
    assert_eq!(fresh.health(50), Health::Unchecked);

    let mut machine = Machine::new(Peers::SoleVoter);
    machine.run(1);
    let slept_ms = 8 * 3_600_000;
    machine.reading.boot_ms += slept_ms;
    machine.reading.wall_ms += slept_ms;
    assert_eq!(machine.clock.health(machine.reading.boot_ms), Health::Unchecked);
    // The boot clock counted the night, so the stamp is right at once.
    assert_eq!(machine.offset_ms(), 0);
    assert_eq!(machine.run(1).health, Health::Sound);
    assert!(machine.steps.is_empty());
}

#[test]
fn a_start_takes_the_later_of_wall_clock_and_last_stamp() {
    let reading = Reading { wall_ms: START_MS, boot_ms: 0 };
    assert_eq!(StampClock::start(START_MS - 9_999, reading).now_ms(0), START_MS);
    assert_eq!(StampClock::start(START_MS + 9_999, reading).now_ms(0), START_MS + 9_999);
}

#[test]
fn a_later_stamp_of_another_leader_is_never_undercut() {
    let mut machine = Machine::new(Peers::SoleVoter);
    machine.clock.observe(START_MS + 2_000, machine.reading.boot_ms);
    assert_eq!(machine.stamp_ms(), START_MS + 2_000);
    machine.clock.observe(START_MS, machine.reading.boot_ms);
    assert_eq!(machine.stamp_ms(), START_MS + 2_000);
    machine.run(120);
    assert!(machine.offset_ms().abs() <= 20);
}

#[test]
fn rare_checks_correct_the_offset_and_do_not_overshoot() {
    for by_ms in [-60_000, -2_000, 2_000] {
        let mut machine = Machine::new(Peers::SoleVoter);
        machine.jump(by_ms).run(1);
        machine.reading.wall_ms += 600_000;
        machine.reading.boot_ms += 600_000;
        let left_ms = machine.offset_ms();
        assert!(left_ms.abs() <= 1, "{by_ms} left {left_ms}");
    }
}

#[test]
fn readings_out_of_order_never_turn_a_stamp_back() {
    let mut machine = Machine::new(Peers::SoleVoter);
    let boot_ms = machine.reading.boot_ms;
    let high_ms = machine.clock.now_ms(boot_ms + 500);
    machine.reading.wall_ms -= 60_000;
    machine.clock.check(machine.reading, Peers::SoleVoter);
    assert_eq!(machine.clock.now_ms(boot_ms + 400), high_ms);
    assert_eq!(machine.clock.now_ms(boot_ms + 502), high_ms + 1);
}

#[test]
fn a_node_off_its_peers_gives_no_stamp_and_its_time_goes_on_as_before() {
    for by_ms in [-3_600_000, -6_000, 6_000, 3_600_000] {
        let mut machine = Machine::new(Peers::SoleVoter);
        machine.jump(by_ms);
        for second in 1..=60 {
            machine.peers = Peers::Median(START_MS + second * 1_000);
            let health = machine.run(1).health;
            assert_eq!((health, health.ready()), (Health::OffPeers, false), "{by_ms}");
            assert_eq!(machine.stamp_ms(), START_MS + second * 1_000, "{by_ms}");
        }
        // Its clock is set right again.
        machine.jump(-by_ms);
        machine.peers = Peers::Median(START_MS + 61_000);
        assert_eq!(machine.run(1).health, Health::Sound);
        assert_eq!((machine.offset_ms(), machine.steps.len()), (0, 0));
    }
}

#[test]
fn a_node_that_starts_with_a_wrong_clock_begins_at_the_time_of_the_others() {
    const LAST_MS: u64 = START_MS - 5_000;
    for wrong_ms in [START_MS + 3_600_000, START_MS - 3_600_000] {
        let wrong = |boot_ms| Reading { wall_ms: wrong_ms + boot_ms, boot_ms };
        let mut clock = StampClock::start(LAST_MS, wrong(0));
        let unknown = clock.check(wrong(0), Peers::Unknown);
        assert_eq!((unknown.health, clock.health(0)), (Health::Unchecked, Health::Unchecked));
        let known = clock.check(wrong(500), Peers::Median(START_MS + 500));
        assert_eq!(known.health, Health::OffPeers);
        assert_eq!(clock.now_ms(1_500), START_MS + 1_500);
    }
    // What is applied already is never undercut.
    let reading = Reading { wall_ms: START_MS + 3_600_000, boot_ms: 0 };
    let mut clock = StampClock::start(LAST_MS, reading);
    clock.observe(START_MS + 60_000, 0);
    clock.check(reading, Peers::Median(START_MS));
    assert_eq!(clock.now_ms(0), START_MS + 60_000);
}

#[test]
fn a_clock_is_not_believed_while_only_one_of_two_others_has_answered() {
    let reading = |boot_ms| Reading { wall_ms: START_MS + 3_600_000 + boot_ms, boot_ms };
    let mut clock = StampClock::start(START_MS - 5_000, reading(0));
    assert_eq!(clock.check(reading(0), Peers::Unknown).health, Health::Unchecked);
    assert_eq!(clock.check(reading(500), Peers::Split).health, Health::Unchecked);
    assert_eq!(clock.check(reading(900), Peers::Median(START_MS + 900)).health, Health::OffPeers);
    assert_eq!(clock.now_ms(900), START_MS + 900);
    // The third never comes: two nodes go on all the same.
    let mut clock = StampClock::start(START_MS - 5_000, reading(0));
    assert_eq!(clock.check(reading(4_900), Peers::Split).health, Health::Unchecked);
    assert_eq!(clock.check(reading(5_000), Peers::Split).health, Health::Sound);
}

#[test]
fn clocks_without_a_majority_keep_nobody_from_stamping_and_let_nobody_step() {
    let mut machine = Machine::new(Peers::Split);
    assert_eq!(machine.run(6).health, Health::Sound);
    assert_eq!(machine.jump(60_000).run(60).health, Health::Ahead);
    assert!(machine.steps.is_empty());
}
