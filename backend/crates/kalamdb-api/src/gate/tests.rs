use super::*;

#[test]
fn s15_a_key_over_its_limit_is_kept_out_and_others_are_not() {
    let gate = Gate::new(0, 2);
    let _first = gate.enter("a").unwrap();
    let second = gate.enter("a").unwrap();
    assert_eq!(gate.enter("a").unwrap_err(), Full::Key);
    assert!(gate.enter("b").is_ok());
    drop(second);
    assert!(gate.enter("a").is_ok());
}

#[test]
fn s15_the_limit_over_all_keys_holds() {
    let gate = Gate::new(2, 0);
    let _first = gate.enter(1).unwrap();
    let _second = gate.enter(2).unwrap();
    assert_eq!(gate.enter(3).unwrap_err(), Full::Total);
}

#[test]
fn i7_a_key_is_forgotten_when_its_last_pass_is_dropped() {
    let gate = Gate::new(0, 0);
    for key in 0..1_000 {
        drop(gate.enter(key).unwrap());
    }
    assert!(gate.0.inside.lock().by_key.is_empty());
    assert_eq!(gate.0.inside.lock().total, 0);
}
