use super::*;

fn verdicts(rate: &mut MessageRate, now: Instant, messages: usize) -> [usize; 3] {
    let mut counts = [0; 3];
    for _ in 0..messages {
        let verdict = rate.count(now);
        counts[verdict as usize] += 1;
    }
    counts
}

#[test]
fn s15_a_burst_fits_the_window_then_comes_a_warning_and_then_the_end() {
    let now = Instant::now();
    let mut rate = MessageRate::new(2, 10, now);
    assert_eq!(verdicts(&mut rate, now, 50), [20, 20, 10]);
}

#[test]
fn who_slows_down_is_let_through_again() {
    let start = Instant::now();
    let mut rate = MessageRate::new(2, 10, start);
    assert_eq!(verdicts(&mut rate, start, 30), [20, 10, 0]);
    let later = start + Duration::from_secs(10);
    assert_eq!(verdicts(&mut rate, later, 10), [10, 0, 0]);
    let much_later = start + Duration::from_secs(1_000);
    assert_eq!(verdicts(&mut rate, much_later, 21), [20, 1, 0]);
}

#[test]
fn the_allowed_rate_can_be_kept_up_for_ever() {
    let start = Instant::now();
    let mut rate = MessageRate::new(200, 10, start);
    for n in 0..100_000_u64 {
        let now = start + Duration::from_millis(n * 5);
        assert_eq!(rate.count(now), Verdict::Take, "message {n}");
    }
}

#[test]
fn a_flood_over_the_rate_ends_in_a_close_even_with_pauses_in_between() {
    let start = Instant::now();
    let mut rate = MessageRate::new(10, 10, start);
    let closed = (0..2_000_u64).find(|n| rate.count(start + Duration::from_millis(n * 50)) == Verdict::Close);
    assert!(closed.is_some());
}

#[test]
fn without_a_limit_all_is_taken() {
    let now = Instant::now();
    assert_eq!(verdicts(&mut MessageRate::new(0, 10, now), now, 100_000), [100_000, 0, 0]);
}
