//! Who is slowed down, who is not, and what it costs to remember.

use super::*;

const NOW: i64 = 1_700_000_000_000_000;
const SECOND: i64 = 1_000_000;

fn address(n: u32) -> IpAddr {
    IpAddr::from(n.to_be_bytes())
}

fn fails(limit: &LoginLimit, user: &str, from: u32, now: i64) -> bool {
    limit.take(user, address(from), now).is_err()
}

#[test]
fn s08_attempts_of_one_address_are_limited_whatever_user_is_tried() {
    let limit = LoginLimit::new(3);
    let limited: Vec<bool> = (0..5).map(|n| fails(&limit, &format!("user{n}"), 1, NOW)).collect();
    assert_eq!(limited, [false, false, false, true, true]);
    assert!(!fails(&limit, "user0", 2, NOW), "another address");
}

#[test]
fn s08_attempts_at_one_user_are_limited_wherever_they_come_from() {
    let limit = LoginLimit::new(3);
    let limited: Vec<bool> = (0..5).map(|n| fails(&limit, "anna", n, NOW)).collect();
    assert_eq!(limited, [false, false, false, true, true]);
    assert!(!fails(&limit, "ben", 9, NOW), "another user");
}

#[test]
fn s08_the_answer_says_when_to_try_again_and_that_is_enough() {
    let limit = LoginLimit::new(3);
    let attempts: Vec<_> = (0..3).map(|_| limit.take("anna", address(1), NOW)).collect();
    assert!(attempts.iter().all(Result::is_ok));
    let RetryAfter(secs) = limit.check("anna", address(1), NOW).unwrap_err();
    assert_eq!(secs, 20);
    assert!(fails(&limit, "anna", 1, NOW + 19 * SECOND));
    assert!(!fails(&limit, "anna", 1, NOW + 20 * SECOND));
    assert!(fails(&limit, "anna", 1, NOW + 20 * SECOND), "one is refilled, not all");
    assert!(!fails(&limit, "anna", 1, NOW + 200 * SECOND));
}

#[test]
fn attempts_that_are_refused_do_not_make_the_wait_longer() {
    let limit = LoginLimit::new(1);
    assert!(!fails(&limit, "anna", 1, NOW));
    for n in 0..100 {
        assert!(fails(&limit, "anna", 1, NOW + n));
    }
    assert!(!fails(&limit, "anna", 1, NOW + 60 * SECOND));
}

#[test]
fn right_passwords_are_not_counted() {
    let limit = LoginLimit::new(3);
    for _ in 0..100 {
        let attempt = limit.take("anna", address(1), NOW).unwrap();
        limit.succeeded(&attempt, NOW);
    }
    let wrong: Vec<bool> = (0..4).map(|_| fails(&limit, "anna", 1, NOW)).collect();
    assert_eq!(wrong, [false, false, false, true], "and buy no further wrong ones");
}

#[test]
fn strangers_cannot_lock_a_user_out_of_where_it_has_logged_in_before() {
    let limit = LoginLimit::new(3);
    let attempt = limit.take("anna", address(1), NOW).unwrap();
    limit.succeeded(&attempt, NOW);
    for n in 100..200 {
        let _ = limit.take("anna", address(n), NOW);
    }
    assert!(fails(&limit, "anna", 2, NOW), "from an address that is new");
    let limited: Vec<bool> = (0..4).map(|_| fails(&limit, "anna", 1, NOW)).collect();
    assert_eq!(limited, [false, false, false, true], "guesses from there are limited too");
}

#[test]
fn s08_an_ipv6_network_counts_as_one_address() {
    let limit = LoginLimit::new(3);
    let from = |text: &str| text.parse::<IpAddr>().unwrap();
    let tried = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1", "2001:db8::4"];
    let limited: Vec<bool> =
        tried.iter().enumerate().map(|(n, text)| limit.take(&format!("u{n}"), from(text), NOW).is_err()).collect();
    assert_eq!(limited, [false, false, false, true]);
    assert!(limit.take("u", from("2001:db8:0:1::1"), NOW).is_ok());
    for n in 0..3 {
        assert!(limit.take(&format!("v{n}"), from("192.0.2.1"), NOW).is_ok());
    }
    assert!(limit.take("v", from("::ffff:192.0.2.1"), NOW).is_err(), "the same address in other clothes");
}

#[test]
fn no_limit_is_no_limit() {
    let limit = LoginLimit::new(0);
    assert!((0..1_000).all(|_| !fails(&limit, "anna", 1, NOW)));
}

#[test]
fn a_clock_that_was_set_back_locks_out_for_a_minute_at_most() {
    let limit = LoginLimit::new(1);
    assert!(!fails(&limit, "anna", 1, NOW));
    let earlier = NOW - 86_400 * SECOND;
    let RetryAfter(secs) = limit.check("anna", address(1), earlier).unwrap_err();
    assert!(secs <= 60, "{secs}");
    let mut pace = Pace::new(1, 1);
    pace.take(1, NOW);
    assert!(pace.check(2, earlier).is_err());
}

#[test]
fn s08_memory_is_bounded_and_newcomers_wait_until_there_is_room() {
    let mut pace = Pace::new(60, 100);
    for key in 0..100 {
        assert!(pace.check(key, NOW).is_ok());
        pace.take(key, NOW);
    }
    assert!(pace.check(100, NOW).is_err());
    assert!(pace.check(0, NOW).is_ok(), "who is remembered has its own count");
    assert!(pace.check(100, NOW + 2 * SECOND).is_ok(), "who has waited long enough is forgotten");
    assert!(pace.next_free.len() < 100);
}

#[test]
fn familiar_addresses_are_bounded_too_and_the_longest_unused_goes() {
    let mut pace = Pace::new(60, 3);
    for key in 0..4 {
        pace.remember(key, NOW + i64::try_from(key).unwrap());
    }
    let mut kept: Vec<u64> = pace.next_free.keys().copied().collect();
    kept.sort_unstable();
    assert_eq!(kept, [1, 2, 3]);
}

#[test]
fn refreshes_are_limited_per_user() {
    let limit = RefreshLimit::new(2);
    let (anna, ben) = (UserId::new("anna").unwrap(), UserId::new("ben").unwrap());
    let limited: Vec<bool> = (0..3).map(|_| limit.take(&anna, NOW).is_err()).collect();
    assert_eq!(limited, [false, false, true]);
    assert!(limit.take(&ben, NOW).is_ok());
    assert!((0..100).all(|_| RefreshLimit::new(0).take(&anna, NOW).is_ok()));
}
